#!/bin/bash
# What sessions rely on in the official image: NEO4J_AUTH sets the first password, every other NEO4J_*
# variable becomes a setting (`__` is `_`, `_` is `.`), strict validation refuses unknown ones, data
# lies in /data, and the server runs as the user neo4j.
set -euo pipefail
cd "$NEO4J_HOME"

as_neo4j() { exec setpriv --reuid=neo4j --regid=neo4j --init-groups --no-new-privs -- "$@"; }
admin() { (as_neo4j java $FAST_START -XX:SharedArchiveFile=admin.jsa -cp 'lib/*' org.neo4j.cli.AdminTool "$@"); }

{
    echo "server.default_listen_address=0.0.0.0"
    for name in $(compgen -e NEO4J_); do
        case $name in
            NEO4J_AUTH | NEO4J_HOME) continue ;;
        esac
        setting=${name#NEO4J_}
        setting=${setting//__/%}
        setting=${setting//_/.}
        echo "${setting//%/_}=${!name}"
    done
} > conf/neo4j.conf

chown neo4j:neo4j /data /logs
if [ "${NEO4J_AUTH:-}" = none ]; then
    echo "dbms.security.auth_enabled=false" >> conf/neo4j.conf
elif [ -n "${NEO4J_AUTH:-}" ] && [ ! -e /data/dbms ]; then
    case $NEO4J_AUTH in
        neo4j/????????*) # through a file: whoever may list processes sees arguments
            install -o neo4j -g neo4j -m 0600 /dev/stdin /run/password <<< "${NEO4J_AUTH#neo4j/}"
            admin dbms set-initial-password @/run/password
            rm /run/password ;;
        *) echo "NEO4J_AUTH must be none or neo4j/<password of 8 characters or more>" >&2; exit 1 ;;
    esac
fi
unset NEO4J_AUTH

size() { sed -n "s/^server.memory.heap.$1=//p" conf/neo4j.conf; }
initial=$(size initial_size) maximum=$(size max_size)
as_neo4j java $FAST_START -XX:SharedArchiveFile=server.jsa ${initial:+-Xms$initial} ${maximum:+-Xmx$maximum} \
    -cp 'lib/*' org.neo4j.server.CommunityEntryPoint --home-dir="$NEO4J_HOME" --config-dir="$NEO4J_HOME/conf" --console-mode
