"""Credentials that ended or are away: one line, the step that mends it, and never a traceback."""

import http.server
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.cloud import Cloud

NONE = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_EC2_METADATA_DISABLED": "true"}

SSO = """[profile work]
sso_session = s
sso_account_id = 123456789012
sso_role_name = r
[sso-session s]
sso_region = us-east-1
sso_start_url = https://example.awsapps.com/start
"""


def profile(folder: Path, text: str, name: str = "work") -> dict[str, str]:
    """Variables of a machine with this configuration, and nothing else."""
    (folder / "config").write_text(text)
    return {
        **NONE,
        "HOME": str(folder),
        "AWS_CONFIG_FILE": str(folder / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "none"),
        "AWS_PROFILE": name,
    }


Case = tuple[str, str, int, str]  # configuration, profile, exit code, advice

CASES = [
    pytest.param((SSO, "work", 2, "sign in again: aws sso login --profile work"), id="sso"),
    pytest.param((SSO, "wrok", 2, "`aws configure list-profiles`"), id="no profile"),
    pytest.param(
        (
            "[profile work]\ncredential_process = sh -c 'echo no token >&2; exit 3'\n",
            "work",
            1,
            "run the `credential_process` of the profile by hand",
        ),
        id="process fails",
    ),
    pytest.param(
        (
            "[profile work]\ncredential_process = /no/such/program\n",
            "work",
            1,
            "run the `credential_process` of the profile by hand",
        ),
        id="no process",
    ),
    pytest.param(
        (
            "[profile work]\ncredential_process = echo hello\n",
            "work",
            1,
            "run the `credential_process` of the profile by hand",
        ),
        id="no credentials in it",
    ),
    pytest.param(
        ("[profile work]\n", "work", 2, "set AWS_PROFILE or AWS_ACCESS_KEY_ID"), id="none"
    ),
    pytest.param(
        (
            "[profile work]\nlogin_session = arn:aws:iam::123456789012:user/ann\n",
            "work",
            2,
            "credential_process = aws configure export-credentials --profile work",
        ),
        id="signed in by aws login",
    ),
    pytest.param(("[profile work\n", "work", 2, "mend ~/.aws/config"), id="no configuration"),
    pytest.param(
        (
            "[profile work]\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = base\n"
            "mfa_serial = arn:aws:iam::123456789012:mfa/me\n[profile base]\n"
            "aws_access_key_id = a\naws_secret_access_key = b\n",
            "work",
            2,
            "a service cannot ask for an MFA code",
        ),
        id="mfa",
    ),
]


@pytest.mark.parametrize("case", CASES)
def test_tool_says_in_one_line_what_mends_it(cloud: Cloud, tmp_path: Path, case: Case) -> None:
    text, name, code, advice = case
    queue = cloud.queue("send-without")

    done = cloud.watchbot("send", "--queue-url", queue, "x", env=profile(tmp_path, text, name))

    assert done.returncode == code, done.stderr
    assert advice in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("case", CASES)
def test_service_says_it_as_json(cloud: Cloud, tmp_path: Path, case: Case) -> None:
    text, name, code, advice = case
    queue = cloud.queue("listen-without")

    done = cloud.listen(queue, "--structured-logging", "true", env=profile(tmp_path, text, name))

    assert done.returncode in {code, 2}, done.stderr  # whoever cannot be reached at first: 2
    lines = [json.loads(line) for line in (done.stdout + done.stderr).splitlines()]
    assert advice in lines[-1]["msg"]
    assert {line["name"] for line in lines} == {"watcher"}


@contextmanager
def agent(*answers: int) -> Iterator[tuple[str, list[int]]]:
    """An agent that hands out credentials; it answers with these statuses, then with 200."""
    left, asked = list(answers), list[int]()

    class Agent(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status = left.pop(0) if left else 200
            asked.append(status)
            given = {"AccessKeyId": "a", "SecretAccessKey": "b", "Token": "c",
                     "Expiration": "2099-01-01T00:00:00Z"}  # fmt: skip
            body = json.dumps(given if status == 200 else {"code": "InternalError"}).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Agent) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/credentials", asked
        finally:
            server.shutdown()
            thread.join()


def test_agent_that_is_away_for_a_moment_is_asked_again(cloud: Cloud, tmp_path: Path) -> None:
    queue = cloud.queue("agent")
    cloud.send(queue, "x")

    with agent(500, 500, 500, 500) as (url, asked):  # boto itself asks three times
        env = {**NONE, "HOME": str(tmp_path), "AWS_CONTAINER_CREDENTIALS_FULL_URI": url}
        done = cloud.listen(queue, "--structured-logging", "true", env=env)

    assert done.returncode == 0, done.stdout + done.stderr
    assert asked == [500, 500, 500, 500, 200]
    assert all(json.loads(line) for line in (done.stdout + done.stderr).splitlines())
    assert cloud.depth(queue) == (0, 0)


@pytest.mark.parametrize("service", ["listen", "record", "schedule"])
def test_bad_option_is_told_as_json(cloud: Cloud, service: str) -> None:
    for words, env in (
        (["--structured-logging"], {}),
        ([], {"WATCHBOT_STRUCTURED_LOGGING": "true"}),
        ([], {"structuredLogging": "true"}),
    ):
        done = cloud.watchbot(service, *words, "--metrics-port", "many", env=env)

        assert done.returncode == 2
        (line,) = done.stderr.splitlines()
        assert "metrics" in json.loads(line)["msg"] or "missing" in json.loads(line)["msg"]
        assert json.loads(line)["level"] == 50


def test_what_the_web_server_says_is_a_line_of_our_log(cloud: Cloud) -> None:
    queue = cloud.queue("uvicorn")
    options = ("--queue-url", queue, "--metrics-port", "0", "--structured-logging")

    with cloud.started("listen", *options, "true") as watcher:
        assert watcher.stdout is not None
        lines = (json.loads(line) for line in watcher.stdout)
        url = next(line["url"] for line in lines if "url" in line)
        port = int(url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
            client.sendall(b"\x16\x03\x01 this is no HTTP\r\n\r\n")
            client.recv(1000)
        said = next(line for line in lines if "Invalid HTTP" in line["msg"])
        watcher.terminate()
        assert all(line["name"] for line in lines)

    assert said["logger"] == "uvicorn.error"
    assert said["level"] == 40
