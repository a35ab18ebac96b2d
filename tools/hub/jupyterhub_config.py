"""Settings of the hub that bench.py starts. Not for a class: one user of the system owns it all."""

import json
import os
import sys
from pathlib import Path

from jupyterhub.utils import random_port

c = get_config()  # noqa: F821
c.JupyterHub.authenticator_class = "null"  # tokens are the only way in
c.JupyterHub.api_tokens = json.loads(os.environ["CLASS_TOKENS"])
c.Authenticator.allowed_users = set(c.JupyterHub.api_tokens.values())
c.JupyterHub.bind_url = os.environ["CLASS_URL"]
c.JupyterHub.hub_port = random_port()
c.JupyterHub.concurrent_spawn_limit = 0  # a class starts at once
c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{random_port()}"
c.ConfigurableHTTPProxy.command = [str(Path(sys.executable).with_name("configurable-http-proxy"))]
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = f"{Path.cwd()}/learners/{{username}}"
c.Spawner.cmd = [sys.executable, "-m", "jupyterhub.singleuser"]
c.Spawner.args = ["--allow-root"] if os.geteuid() == 0 else []
c.Spawner.start_timeout = c.Spawner.http_timeout = 600
c.Spawner.env_keep.extend(["MNIST_NPZ", "MNIST_OFFLINE"])
c.Spawner.env_keep.extend(["TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS"])
c.Spawner.environment = {"MNIST_ARTIFACTS": "~/artifacts"}
