"""The journey of a protected VM by the Azure SDK for Python.

Every answer is compared with the model that the SDK has for it: members of another type, values that an enumeration does
not have and members that must be there and are not are failures, and so is every warning that the SDK logs.
"""

import base64
import enum
import logging
import os
import sys
import time
import typing
from datetime import datetime, timedelta

from azure.core.exceptions import HttpResponseError
from azure.core.rest import HttpRequest
from azure.identity import ClientSecretCredential
from azure.mgmt.compute import ComputeManagementClient
from azure.mgmt.recoveryservices import RecoveryServicesClient
from azure.mgmt.recoveryservices import models as vaults
from azure.mgmt.recoveryservicesbackup import RecoveryServicesBackupClient
from azure.mgmt.recoveryservicesbackup import models as backup
from azure.mgmt.resource.deployments import DeploymentsMgmtClient
from azure.mgmt.resource.resources import ResourceManagementClient

WHERE = {name: os.environ["COFFRE_" + name.upper()] for name in ("url", "tenant", "client", "secret", "subscription")}
VM = os.environ["COFFRE_VM"]
REGION = os.environ["COFFRE_REGION"]
GROUP, VAULT, FABRIC = "sdk", "sdk-safe", "Azure"
# The list of sizes has been closed for years; Azure itself answers sizes that are not on it, and so do we.
OPEN = ("VirtualMachineSizeTypes",)


class Warnings(logging.Handler):
    """What the SDK complains about."""

    def __init__(self):
        super().__init__(logging.WARNING)
        self.seen = []

    def emit(self, record):
        self.seen.append(f"{record.name}: {record.getMessage()}")


# ---- models

def hints(kind):
    """The types of the members of a model, by the names in Python."""
    found = {}
    for base in reversed(kind.__mro__):
        module = sys.modules[base.__module__]
        if not hasattr(base, "__annotations__") or "azure.mgmt" not in base.__module__:
            continue
        package = base.__module__.rsplit(".models", 1)[0].rsplit("._utils", 1)[0]
        space = dict(vars(module), _models=sys.modules.get(package + ".models"))
        for name, text in base.__annotations__.items():
            if not name.startswith("_"):
                found[name] = eval(text, space) if isinstance(text, str) else text  # The SDK's own annotations.
    return {name: resolve(kind, hint) for name, hint in found.items()}


def resolve(kind, hint):
    """A type whose names inside are looked up where the model stands."""
    if isinstance(hint, typing.ForwardRef):
        hint = hint.__forward_arg__
    if isinstance(hint, str):
        package = kind.__module__.rsplit(".models", 1)[0]
        space = dict(vars(sys.modules[kind.__module__]), _models=sys.modules[package + ".models"])
        return resolve(kind, eval(hint, space))
    arguments = typing.get_args(hint)
    if not arguments or typing.get_origin(hint) is typing.Literal:
        return hint
    made = tuple(resolve(kind, each) for each in arguments)
    origin = typing.get_origin(hint)
    return typing.Union[made] if origin is typing.Union else origin[made]


def check(value, hint, place):
    """Fails unless a value is of a type, with all that is in it."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is typing.Any:
        return
    if origin is typing.Union:
        if value is None:
            assert type(None) in arguments, f"{place} is missing"
            return
        kinds = [each for each in arguments if each is not type(None)]
        enums = [each for each in kinds if isinstance(each, type) and issubclass(each, enum.Enum)]
        if any(each.__name__ in OPEN for each in enums):
            assert isinstance(value, str), f"{place} is {value!r}"
            return
        if enums and isinstance(value, str):
            known = [str(each.value) for kind in enums for each in kind]
            shown = value.value if isinstance(value, enum.Enum) else value
            # The SDK sends and takes these in any case.
            assert shown.lower() in [each.lower() for each in known], f"{place} is {shown!r}, not one of {known}"
            return
        assert len(kinds) == 1, f"{place}: {hint}"
        check(value, kinds[0], place)
    elif origin is typing.Literal:
        assert value in arguments or getattr(value, "value", value) in [getattr(it, "value", it) for it in arguments], f"{place} is {value!r}, not {arguments}"
    elif origin is list:
        assert isinstance(value, list), f"{place} is {value!r}, no list"
        for at, each in enumerate(value):
            check(each, arguments[0], f"{place}[{at}]")
    elif origin is dict:
        assert hasattr(value, "items"), f"{place} is {value!r}, no map"
        for key, each in value.items():
            check(each, arguments[1], f"{place}.{key}")
    elif hasattr(hint, "_attr_to_rest_field"):
        assert isinstance(value, hint), f"{place} is a {type(value).__name__}, no {hint.__name__}"
        model(value, place)
    elif hint in (str, int, float, bool, datetime, timedelta):
        wanted = (int, float) if hint is float else hint
        fits = isinstance(value, wanted) and (hint is bool or not isinstance(value, bool))
        assert fits, f"{place} is {value!r}, no {hint.__name__}"


def deep(value):
    """The SDK looks for the kind of an answer among the children of a model; that of a VM's item is a grandchild."""
    kind = type(value)
    discriminator = kind._get_discriminator([])
    if discriminator is None or discriminator._rest_name not in value:
        return value
    name = value[discriminator._rest_name]
    for child in set(kind.__mapping__.values()) - {kind}:
        if name in child.__mapping__:
            return child.__mapping__[name]._deserialize(dict(value.items()), [])
    return value


def model(value, place=None):
    """Fails unless all members of an answer are what its model says. Gives it back."""
    place = place or type(value).__name__
    value = deep(value)
    for name, hint in hints(type(value)).items():
        check(getattr(value, name), hint, f"{place}.{name}")
    return value


def all_of(pages):
    return [model(each) for each in pages]


# ---- clients

def clients():
    url = WHERE["url"]
    credential = ClientSecretCredential("adfs", WHERE["client"], WHERE["secret"], authority=url)
    scopes = [url + "/.default"]
    made = [
        kind(credential, WHERE["subscription"], base_url=url, credential_scopes=scopes, polling_interval=1)
        for kind in (
            ResourceManagementClient,
            RecoveryServicesClient,
            RecoveryServicesBackupClient,
            ComputeManagementClient,
            DeploymentsMgmtClient,
        )
    ]
    return made


def refused(code, work):
    """Fails unless the service says no with this code."""
    try:
        work()
    except HttpResponseError as error:
        assert error.error is not None and error.error.code == code, f"{error}"
        return
    raise AssertionError(f"{code} was expected")


def wait_for(client, job):
    started = time.monotonic()
    while True:
        seen = model(client.job_details.get(VAULT, GROUP, job))
        if seen.properties.status not in ("InProgress", "Cancelling"):
            assert seen.properties.status == "Completed", seen.as_dict()
            return seen
        assert time.monotonic() - started < 300, seen.as_dict()
        time.sleep(0.2)


def answer_of(pipeline, _body, _headers):
    return pipeline.http_response


def job_of(client, response):
    """The job of an operation, as clients poll it."""
    operation = response.headers["Azure-AsyncOperation"].split("?")[0].rsplit("/", 1)[1]
    while True:
        state = model(client.backup_operation_statuses.get(VAULT, GROUP, operation))
        if state.status != "InProgress":
            assert state.status == "Succeeded", state.as_dict()
            return state.properties.job_id
        time.sleep(0.2)


def prepare(resources, services, client):
    assert not resources.resource_groups.check_existence(GROUP)
    model(resources.resource_groups.create_or_update(GROUP, {"location": REGION, "tags": {"by": "sdk"}}))
    assert resources.resource_groups.check_existence(GROUP)
    model(resources.resource_groups.get(GROUP))
    all_of(resources.resource_groups.list())
    provider = model(resources.providers.get("Microsoft.RecoveryServices"))
    assert provider.registration_state == "Registered"
    all_of(resources.providers.list())

    refused("ResourceNotFound", lambda: services.vaults.get(GROUP, VAULT))
    body = vaults.Vault(location=REGION, sku=vaults.Sku(name="RS0", tier="Standard"), properties=vaults.VaultProperties(public_network_access="Enabled"))
    made = model(services.vaults.begin_create_or_update(GROUP, VAULT, body).result())
    assert made.properties.provisioning_state == "Succeeded"
    model(services.vaults.begin_update(GROUP, VAULT, vaults.PatchVault(tags={"by": "sdk"})).result())
    assert model(services.vaults.get(GROUP, VAULT)).tags == {"by": "sdk"}
    assert VAULT in [it.name for it in all_of(services.vaults.list_by_subscription_id())]
    assert [it.name for it in all_of(services.vaults.list_by_resource_group(GROUP))] == [VAULT]
    all_of(services.usages.list_by_vaults(GROUP, VAULT))
    all_of(services.replication_usages.list(GROUP, VAULT))
    check_name = vaults.CheckNameAvailabilityParameters(type="Microsoft.RecoveryServices/vaults", name=VAULT)
    free = model(services.recovery_services.check_name_availability(GROUP, REGION, check_name))
    assert not free.name_available

    model(client.backup_resource_vault_configs.get(VAULT, GROUP))
    model(client.backup_resource_storage_configs_non_crr.get(VAULT, GROUP))
    model(client.backup_resource_encryption_configs.get(VAULT, GROUP))
    all_of(client.resource_guard_proxies.get(VAULT, GROUP))
    assert "DefaultPolicy" in [it.name for it in all_of(client.backup_policies.list(VAULT, GROUP))]
    default = model(client.protection_policies.get(VAULT, GROUP, "DefaultPolicy"))
    model(client.protection_policies.create_or_update(VAULT, GROUP, "nightly", backup.ProtectionPolicyResource(properties=default.properties)))
    client.protection_policies.begin_delete(VAULT, GROUP, "nightly").result()
    return made


def protect(client, machine):
    """Discovers the VM and puts it under the policy; the names of its container and its item."""
    status = model(client.backup_status.get(REGION, backup.BackupStatusRequest(resource_type="VM", resource_id=machine.id)))
    assert status.protection_status == "NotProtected"
    response = client.protection_containers.refresh(VAULT, GROUP, FABRIC, cls=answer_of)
    operation = response.headers["Location"].split("?")[0].rsplit("/", 1)[1]
    done = lambda pipeline, _body, _headers: pipeline.http_response.status_code
    while client.protection_container_refresh_operation_results.get(VAULT, GROUP, FABRIC, operation, cls=done) == 202:
        time.sleep(0.2)
    found = all_of(client.backup_protectable_items.list(VAULT, GROUP, filter="backupManagementType eq 'AzureIaasVM'"))
    found = [it for it in found if it.properties.friendly_name == VM]
    assert len(found) == 1, found
    container = "IaasVMContainer;" + found[0].name
    item = "VM;" + found[0].name
    policy = client.protection_policies.get(VAULT, GROUP, "DefaultPolicy")
    wish = backup.AzureIaaSComputeVMProtectedItem(policy_id=policy.id, source_resource_id=machine.id)
    names = (VAULT, GROUP, FABRIC, container, item)
    made = client.protected_items.begin_create_or_update(*names, backup.ProtectedItemResource(properties=wish))
    assert item_in(made.result()).protection_state == "IRPending"
    return names


def back_up(client, names):
    ask = backup.BackupRequestResource(properties=backup.IaasVMBackupRequest())
    wait_for(client, job_of(client, client.backups.trigger(*names, ask, cls=answer_of)))
    shown = item_in(client.protected_items.get(*names))
    assert shown.protection_state == "Protected"
    assert shown.last_backup_status == "Completed"
    assert len(all_of(client.backup_protected_items.list(VAULT, GROUP))) == 1
    all_of(client.backup_protection_containers.list(VAULT, GROUP, filter="backupManagementType eq 'AzureIaasVM'"))
    model(client.protection_containers.get(*names[:4]))
    all_of(client.backup_usage_summaries.list(VAULT, GROUP))
    jobs = all_of(client.backup_jobs.list(VAULT, GROUP, filter="operation eq 'Backup'"))
    assert len(jobs) == 1, jobs
    points = all_of(client.recovery_points.list(*names))
    assert len(points) == 1
    return model(client.recovery_points.get(*names, points[0].name))


def restore(client, names, machine, point, account, how):
    wish = backup.IaasVMRestoreRequest(
        recovery_point_id=point.name,
        recovery_type=how,
        source_resource_id=machine.id,
        storage_account_id=account.id,
        region=REGION,
        create_new_cloud_service=False,
        original_storage_account_option=False,
    )
    before = {it.name for it in client.backup_jobs.list(VAULT, GROUP, filter="operation eq 'Restore'")}
    client.restores.begin_trigger(*names, point.name, backup.RestoreRequestResource(properties=wish)).result()
    jobs = {it.name for it in client.backup_jobs.list(VAULT, GROUP, filter="operation eq 'Restore'")} - before
    assert len(jobs) == 1, jobs
    wait_for(client, jobs.pop())


def item_in(answer):
    return deep(model(answer).properties)


def change(client, names, machine, **wish):
    body = backup.AzureIaaSComputeVMProtectedItem(source_resource_id=machine.id, **wish)
    made = client.protected_items.begin_create_or_update(*names, backup.ProtectedItemResource(properties=body))
    return item_in(made.result())


def end(client, names, machine):
    """Stops, deletes, brings back, resumes."""
    assert change(client, names, machine, policy_id="", protection_state="ProtectionStopped").protection_state == "ProtectionStopped"
    wait_for(client, job_of(client, client.protected_items.delete(*names, cls=answer_of)))
    gone = item_in(client.protected_items.get(*names))
    assert gone.is_scheduled_for_deferred_delete
    back = change(client, names, machine, policy_id="", protection_state="ProtectionStopped", is_rehydrate=True)
    assert not back.is_scheduled_for_deferred_delete
    policy = client.protection_policies.get(VAULT, GROUP, "DefaultPolicy")
    assert change(client, names, machine, policy_id=policy.id).protection_state == "Protected"


def machines(compute):
    """Everything that can be asked about the VM; the VM."""
    found = [it for it in all_of(compute.virtual_machines.list_all()) if it.name == VM]
    assert len(found) == 1, found
    group = found[0].id.split("/")[4]
    all_of(compute.virtual_machines.list(group))
    machine = model(compute.virtual_machines.get(group, VM, expand="instanceView"))
    states = [it.code for it in machine.properties.instance_view.statuses]
    assert "PowerState/running" in states, states
    model(compute.virtual_machines.instance_view(group, VM))
    model(compute.virtual_machine_extensions.list(group, VM))
    all_of(compute.disks.list())
    return machine


def deploy(deployments):
    template = {
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
        "contentVersion": "1.0.0.0",
        "parameters": {"days": {"type": "int"}},
        "resources": [
            {
                "type": "Microsoft.RecoveryServices/vaults",
                "apiVersion": "2021-03-01",
                "name": "sdk-made",
                "location": "[resourceGroup().location]",
                "sku": {"name": "RS0", "tier": "Standard"},
                "properties": {},
            }
        ],
        "outputs": {"days": {"type": "int", "value": "[add(parameters('days'), 1)]"}},
    }
    body = {"properties": {"mode": "Incremental", "template": template, "parameters": {"days": {"value": 13}}}}
    model(deployments.deployments.begin_validate(GROUP, "made", body).result())
    made = model(deployments.deployments.begin_create_or_update(GROUP, "made", body).result())
    assert made.properties.provisioning_state == "Succeeded", made.as_dict()
    assert made.properties.outputs["days"]["value"] == 14
    all_of(deployments.deployments.list_by_resource_group(GROUP))
    all_of(deployments.deployment_operations.list(GROUP, "made"))
    model(deployments.deployments.export_template(GROUP, "made"))
    deployments.deployments.begin_delete(GROUP, "made").result()


def main():
    complaints = Warnings()
    logging.getLogger().addHandler(complaints)
    resources, services, client, compute, deployments = clients()
    machine = machines(compute)
    prepare(resources, services, client)
    names = protect(client, machine)
    point = back_up(client, names)
    accounts = all_of(resources.resources.list(filter="resourceType eq 'Microsoft.Storage/storageAccounts'"))
    restore(client, names, machine, point, accounts[0], "RestoreDisks")
    group = machine.id.split("/")[4]
    compute.virtual_machines.begin_deallocate(group, VM).result()
    restore(client, names, machine, point, accounts[0], "OriginalLocation")
    compute.virtual_machines.begin_start(group, VM).result()
    end(client, names, machine)
    deploy(deployments)
    all_of(resources.resources.list())
    scope = services.vaults.get(GROUP, VAULT).id
    model(resources.tags.begin_update_at_scope(scope, {"operation": "Merge", "properties": {"tags": {"a": "b"}}}).result())
    assert model(resources.tags.get_at_scope(scope)).properties.tags == {"by": "sdk", "a": "b"}
    refused("ServiceResourceNotEmptyWithContainerDetails", lambda: services.vaults.begin_delete(GROUP, VAULT).result())
    services.vaults.begin_delete(GROUP, "sdk-made").result()
    assert not complaints.seen, complaints.seen
    print("the journey is complete")


main()
