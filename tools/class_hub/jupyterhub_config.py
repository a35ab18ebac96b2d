"""The throw-away hub of tools/hub.py, which writes the settings that are read here.

Not for a class: learners' servers are processes of one system user, and see each other's files.
"""

import json
import os
import secrets
import sys
from pathlib import Path

from jupyterhub.auth import Authenticator

c = get_config()  # noqa: F821
SETTINGS = json.loads(Path("hub.json").read_text())
HOMES = Path("learners").absolute()


class Passwords(Authenticator):
    """Each learner has a password that was drawn for this hub alone."""

    async def authenticate(self, handler, data):
        expected = SETTINGS["passwords"].get(data["username"])
        if expected and secrets.compare_digest(expected, data["password"]):
            return data["username"]
        return None


c.JupyterHub.authenticator_class = Passwords
c.Authenticator.allowed_users = set(SETTINGS["passwords"])

c.JupyterHub.bind_url = SETTINGS["url"]
c.JupyterHub.hub_ip = "127.0.0.1"
c.JupyterHub.hub_port = SETTINGS["hub_port"]
# As where it is installed for good: proxy and servers go on while the hub is restarted.
c.JupyterHub.cleanup_servers = False
c.ConfigurableHTTPProxy.should_start = False
c.ConfigurableHTTPProxy.api_url = SETTINGS["proxy_url"]
c.ConfigurableHTTPProxy.auth_token = SETTINGS["proxy_token"]

c.JupyterHub.spawner_class = "localprocess" if SETTINGS["system_users"] else "simple"
c.SimpleLocalProcessSpawner.home_dir_template = f"{HOMES}/{{username}}"
c.Spawner.cmd = [sys.executable, "-m", "jupyterhub.singleuser"]
c.Spawner.args = ["--allow-root"] if os.geteuid() == 0 else []
c.Spawner.start_timeout = c.Spawner.http_timeout = 600  # many start at once
c.Spawner.environment = SETTINGS["environment"]
if not SETTINGS["system_users"]:
    c.Spawner.environment |= {
        "MNIST_ARTIFACTS": lambda spawner: f"{HOMES}/{spawner.user.name}/artifacts"
    }
# JupyterHub's own limit on how many servers may be starting is for hubs of hundreds.
c.JupyterHub.concurrent_spawn_limit = 0
