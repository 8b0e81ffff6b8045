"""What `pip install` brings: the wheel holds more than Python."""

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_wheel_holds_the_compose_file_and_the_lock_of_azurite(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(argv, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        shipped = archive.read("simbuilder/runtimes/docker/docker-compose.yaml")
        locked = {Path(name).name for name in archive.namelist() if "azurite_package/" in name}
    assert shipped == (ROOT / "docker-compose.yaml").read_bytes()
    assert locked == {"package.json", "package-lock.json"}
