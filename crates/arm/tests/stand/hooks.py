"""What schemathesis needs to reach more than "not found": a token, a world that is there, and its names among the strange ones."""

import os
import random

import requests
import schemathesis

URL, CA = os.environ["COFFRE_URL"], os.environ["REQUESTS_CA_BUNDLE"]
SUBSCRIPTION, GROUP, VAULT = os.environ["COFFRE_SUBSCRIPTION"], "strange", "strange-safe"
VM_GROUP, VM = os.environ["COFFRE_VM_GROUP"], os.environ["COFFRE_VM"]
PART = f"iaasvmcontainerv2;{VM_GROUP.lower()};{VM.lower()}"
HERE = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}"
SAFE = f"{HERE}/providers/Microsoft.RecoveryServices/vaults/{VAULT}"
ITEM = f"{SAFE}/backupFabrics/Azure/protectionContainers/IaasVMContainer;{PART}/protectedItems/VM;{PART}"
MACHINE = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{VM_GROUP}/providers/Microsoft.Compute/virtualMachines/{VM}"


def token():
    form = {
        "grant_type": "client_credentials",
        "client_id": os.environ["COFFRE_CLIENT"],
        "client_secret": os.environ["COFFRE_SECRET"],
        "scope": f"{URL}/.default",
    }
    return requests.post(f"{URL}/adfs/oauth2/token", data=form, timeout=30).json()["access_token"]


TOKEN = token()


def ask(method, path, body=None):
    headers = {"Authorization": f"Bearer {TOKEN}"}
    return requests.request(method, f"{URL}{path}?api-version=2024-11-01", json=body, headers=headers, timeout=30)


def names():
    """Makes a world, as often as it is gone, and says what is in it."""
    ask("PUT", HERE, {"location": os.environ["COFFRE_REGION"]})
    ask("PUT", SAFE, {"location": os.environ["COFFRE_REGION"], "sku": {"name": "RS0"}, "properties": {}})
    wish = {"protectedItemType": "Microsoft.Compute/virtualMachines", "policyId": f"{SAFE}/backupPolicies/DefaultPolicy", "sourceResourceId": MACHINE}
    ask("PUT", ITEM, {"properties": wish})
    ask("POST", f"{ITEM}/backup", {"properties": {"objectType": "IaasVMBackupRequest"}})
    jobs = ask("GET", f"{SAFE}/backupJobs").json().get("value", [])
    points = ask("GET", f"{ITEM}/recoveryPoints").json().get("value", [])
    return {
        "sub": [SUBSCRIPTION],
        "group": [GROUP, GROUP.upper(), VM_GROUP],
        "vault": [VAULT, "other-safe"],
        "vm": [VM],
        "fabric": ["Azure"],
        "container": [f"IaasVMContainer;{PART}"],
        "item": [f"VM;{PART}"],
        "policy": ["DefaultPolicy", "EnhancedPolicy", "other"],
        "job": [it["name"] for it in jobs] or ["none"],
        "point": [it["name"] for it in points] or ["none"],
        "location": [os.environ["COFFRE_REGION"]],
        "namespace": ["Microsoft.Compute", "Microsoft.Network", "Microsoft.RecoveryServices", "Microsoft.Storage"],
        "kind": ["disks", "virtualNetworks", "vaults", "virtualMachines", "storageAccounts"],
        "name": ["one", VAULT, VM],
        "deployment": ["one", "two"],
        "lock": ["one"],
        "extension": ["VMSnapshotLinux"],
        "tenant": [os.environ["COFFRE_TENANT"]],
    }


CHOICE = random.Random(1)
# Types that have operations of their own: asked for by the pattern of any type, these answer, in shapes of their own.
OWN = {"vaults", "virtualmachines", "storageaccounts", "resourceguards", "deployments", "locks", "roleassignments", "roledefinitions"}
ANY = ("/{namespace}/{kind}", "/{namespace}/{kind}/{name}", "/{namespace}/{kind}/{name}/{part}/{child}")
STATE = {"left": 0, "names": {}}


@schemathesis.hook
def before_call(context, case, kwargs):
    """Most names become those of things that are there."""
    if STATE["left"] == 0:
        STATE.update(left=250, names=names())
    STATE["left"] -= 1
    for name in case.path_parameters or {}:
        known = STATE["names"].get(name)
        if known and CHOICE.random() < 0.8:
            case.path_parameters[name] = CHOICE.choice(known)
    path = case.operation.path
    if path.endswith(ANY) and str(case.path_parameters["kind"]).lower() in OWN:
        case.path_parameters["kind"] = "disks"
    if case.query and "api-version" in case.query and CHOICE.random() < 0.9:
        case.query["api-version"] = "2024-11-01"


@schemathesis.auth()
class Bearer:
    """The administrator: what is refused to others is tested elsewhere."""

    def get(self, case, context):
        return TOKEN

    def set(self, case, data, context):
        case.headers = case.headers or {}
        case.headers["Authorization"] = f"Bearer {data}"
