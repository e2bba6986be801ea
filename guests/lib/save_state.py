"""Boots a guest once and saves its machine state and its disks as they were at that moment.

Usage: save_state.py GUESTS_FOLDER GUEST STATE_FOLDER

A machine that starts with `-incoming` from this state, the same command line and fresh overlays on these disks goes on
where this one stood: agent running, file systems mounted.
"""
import json
import os
import socket
import subprocess
import sys
import tempfile
import time

DEADLINE_SECS = 300


class Lines:
    """JSON lines over a unix socket."""

    def __init__(self, path, deadline):
        self.deadline = deadline
        self.rest = b""
        while True:
            self.socket = socket.socket(socket.AF_UNIX)
            try:
                self.socket.connect(path)
                break
            except OSError:
                self.socket.close()
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)

    def send(self, message, prefix=b""):
        # The limit of the last read may have been a millisecond, which a busy machine exceeds.
        self.socket.settimeout(max(1, self.deadline - time.monotonic()))
        self.socket.sendall(prefix + json.dumps(message).encode() + b"\n")

    def receive(self, seconds=None):
        """The next line; None when nothing came within the given seconds."""
        end = self.deadline if seconds is None else time.monotonic() + seconds
        while b"\n" not in self.rest:
            self.socket.settimeout(max(0.001, end - time.monotonic()))
            try:
                data = self.socket.recv(65536)
            except socket.timeout:
                if time.monotonic() > self.deadline:
                    raise SystemExit("the guest did not answer in time")
                return None
            if not data:
                raise SystemExit("the machine ended early")
            self.rest += data
        line, self.rest = self.rest.split(b"\n", 1)
        try:
            return json.loads(line.lstrip(b"\xff"))
        except ValueError:
            return {}

    def call(self, command, **arguments):
        self.send({"execute": command, "arguments": arguments})
        while True:
            reply = self.receive()
            if reply is None or "event" in reply or "QMP" in reply:
                continue
            if "error" in reply:
                raise SystemExit(f"{command}: {reply['error']['desc']}")
            if "return" in reply:
                return reply["return"]


def wait_for_agent(path, deadline):
    agent = Lines(path, deadline)
    number, pause = 0, 0.25
    while True:
        number += 1
        agent.send({"execute": "guest-sync-delimited", "arguments": {"id": number}}, b"\xff")
        reply = agent.receive(pause)
        while reply is not None:
            if reply.get("return") == number:
                return agent
            reply = agent.receive(pause)
        # What is sent before the agent runs waits in the socket, whose room is not endless.
        pause = min(pause * 1.5, 2)


def run_in_guest(agent, script):
    pid = agent.call("guest-exec", path="/bin/sh", arg=["-c", script])["pid"]
    while True:
        status = agent.call("guest-exec-status", pid=pid)
        if status["exited"]:
            if status.get("exitcode") != 0:
                raise SystemExit(f"{script!r} failed in the guest: {status}")
            return
        time.sleep(0.1)


def command_line(guests, name, description, folder, state_folder):
    guest = description[name]
    arguments = ["qemu-system-x86_64", "-name", name, "-m", str(guest["memory_mib"])]
    arguments += [part.replace("@DIR@", folder) for part in description["machine"]]
    arguments += ["-kernel", f"{guests}/{guest['kernel']}", "-initrd", f"{guests}/{guest['initrd']}"]
    arguments += ["-append", guest["append"]]
    for disk in guest["disks"]:
        overlay = f"{state_folder}/{disk['image']}"
        # A backing file that is named relative to its overlay lets the cache folder be moved.
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", f"../{disk['image']}", "-F", "qcow2", overlay],
                       check=True)
        arguments += [part.replace("@NAME@", disk["name"]).replace("@PATH@", overlay) for part in description["disk"]]
    return arguments


def save(guests, name, state_folder):
    with open(f"{guests}/guests.json") as file:
        description = json.load(file)
    deadline = time.monotonic() + DEADLINE_SECS
    with tempfile.TemporaryDirectory(prefix="coffre-") as folder:
        machine = subprocess.Popen(command_line(guests, name, description, folder, state_folder),
                                   stdin=subprocess.DEVNULL)
        try:
            qmp = Lines(f"{folder}/qmp.sock", deadline)
            qmp.call("qmp_capabilities")
            started = time.monotonic()
            wait_for_agent(f"{folder}/agent.sock", deadline)
            print(f"{name}: agent answers after {time.monotonic() - started:.1f} s")
            harness = wait_for_agent(f"{folder}/harness-agent.sock", deadline)
            if name == "debian":
                run_in_guest(harness, "systemctl is-system-running --wait >/dev/null; true")
                print(f"{name}: system is up after {time.monotonic() - started:.1f} s")
            run_in_guest(harness, "sync; echo 3 >/proc/sys/vm/drop_caches")
            harness.socket.close()
            qmp.call("stop")
            qmp.call("migrate", uri=f"exec:cat >'{state_folder}/{name}.state'")
            while (status := qmp.call("query-migrate")["status"]) != "completed":
                if status in ("failed", "cancelled") or time.monotonic() > deadline:
                    raise SystemExit(f"saving the machine state of {name}: {status}")
                time.sleep(0.02)
            qmp.call("quit")
            machine.wait(30)
        except SystemExit:
            with open(f"{folder}/serial.log", errors="replace") as log:
                sys.stderr.write(log.read()[-4000:])
            raise
        finally:
            if machine.poll() is None:
                machine.kill()
                machine.wait()


save(*sys.argv[1:])
