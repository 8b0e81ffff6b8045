"""How sessions run. Each runtime implements `sessions.runtime.Runtime`."""
