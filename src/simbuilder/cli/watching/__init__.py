"""The full-screen view of `session watch`: only it loads textual."""
