"""Settings of the hub that hub.py starts. Not for a class: one user of the system owns it all."""

import json
import os
import sys
from pathlib import Path

c = get_config()  # noqa: F821
tokens = json.loads(os.environ["CLASS_TOKENS"])
port, hub_port, proxy_port = os.environ["CLASS_PORTS"].split()

c.JupyterHub.authenticator_class = "null"  # tokens are the only way in
c.Authenticator.allowed_users = set(tokens)
c.JupyterHub.api_tokens = {token: name for name, token in tokens.items()}
c.JupyterHub.bind_url = f"http://127.0.0.1:{port}"
c.JupyterHub.hub_bind_url = f"http://127.0.0.1:{hub_port}"
c.JupyterHub.concurrent_spawn_limit = 0  # a class starts at once
c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{proxy_port}"
c.ConfigurableHTTPProxy.command = [str(Path(sys.executable).with_name("configurable-http-proxy"))]
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = f"{Path.cwd()}/learners/{{username}}"
c.Spawner.cmd = [sys.executable, "-m", "jupyterhub.singleuser"]
c.Spawner.args = ["--allow-root"] if os.geteuid() == 0 else []
c.Spawner.start_timeout = c.Spawner.http_timeout = 600
c.Spawner.env_keep.extend(
    ["MNIST_NPZ", "MNIST_OFFLINE", "TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS"]
)
c.Spawner.environment = {"MNIST_ARTIFACTS": "~/artifacts"}
