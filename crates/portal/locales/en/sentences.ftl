# Sentences that the service writes, in English, with the values that are in them: what is recognised.
# `why…` is a sentence itself, `time…` a moment, `bytes…` a size.

## Refusals: who and where
said-not-allowed = '{ $name }' may not { $why }; an owner has to give it a role that allows this.
said-wrong-secret = Sign-in failed: the name or client id is not known, or the secret is wrong.
said-token-of-nobody = The access token names somebody who is no longer known. Sign in again.
said-stopping = The service is stopping.
said-not-finished = The service could not finish the request. Its log says more.
said-stale = Somebody else changed this in between. Look again and repeat the request.
said-busy = The service is busy. Try again in a moment.
said-database = The service could not use its database. Its log says more.
said-form-too-large = The form is larger than any form of this portal.
said-no-subscription = The subscription '{ $id }' could not be found.
said-no-region = There is no region '{ $name }'. Use one of these: { $list }.
said-no-group = Resource group '{ $name }' could not be found.
said-no-vault-id = There is no vault with id '{ $id }'.
said-no-policy = Vault '{ $vault }' has no backup policy '{ $name }'. It has these: { $list }.
said-no-vm-id = There is no virtual machine with id '{ $id }'.
said-no-item-id = There is no protected item with id '{ $id }'.
said-no-point-id = There is no recovery point with id '{ $id }'.
said-no-job-id = There is no job '{ $id }'.
said-no-vault-job = The vault has no job '{ $id }'.
said-no-operation = There is no operation '{ $id }'.
said-no-deployment = Deployment '{ $name }' could not be found. List the deployments to see which there are.
said-in-progress-cancel = Another operation is currently in progress on '{ $name }': { $why-kind } job { $id }. Wait for its end, or cancel it.
said-in-progress = Another operation is currently in progress on '{ $name }': { $why-kind } job { $id }. Wait for its end.
said-no-resource = The Resource '{ $name }' under resource group '{ $group }' was not found.

## Access
said-password-short = The password has less than { $least } letters. Use at least { $more }, for example four words.
said-name-signs-in = '{ $name }' can sign in already. Choose another name.
said-stays-owner = '{ $name }' stays an owner: somebody has to be one, and nobody takes the ownership from themselves. Make somebody else an owner and let them do it.
said-nobody = Nobody with the id '{ $id }' can sign in.
said-user-name = The name '{ $name }' breaks the rules: 1 to { $most } letters, digits, '-', '_', '.' and '@', for example 'ann'.

## Names
said-vault-name = The vault name '{ $name }' { $why }. A vault name has 2 to 50 characters, starts with a letter, and contains only letters, digits and hyphens.
said-group-name = The resource group name '{ $name }' { $why }. It has 1 to 90 letters, digits, underscores, hyphens, periods and parentheses, and does not end with a period.
said-policy-name = The policy name '{ $name }' { $why }. A policy name has 3 to 150 characters, starts with a letter, and contains only letters, digits and hyphens.
said-vm-name = The virtual machine name '{ $name }' { $why }. It has 1 to 64 letters, digits, hyphens, underscores and periods, and starts with a letter or a digit.
said-has-characters = has { $length } characters
said-letter-first = does not start with a letter
said-letter-or-digit-first = does not start with a letter or a digit
said-contains = contains '{ $bad }'
said-period-last = ends with a period
said-vault-name-taken = The name '{ $name }' is taken: vault '{ $vault }' in resource group '{ $group }' has it. A vault name is unique in its subscription; choose another.
said-account-name = The storage account name '{ $name }' breaks the rules: 3 to 24 lower-case letters and digits.

## Vaults and groups
said-group-moved = Resource group '{ $name }' is in region '{ $here }' and cannot be moved to '{ $there }'.
said-group-holds = Resource group '{ $name }' still holds { $list }. Delete or move what is in it first.
said-vault-moved = Vault '{ $name }' is in region '{ $here }' and cannot be moved to '{ $there }'. Create another vault there.
said-vault-not-empty = Vault '{ $name }' cannot be deleted as there are existing resources within the vault: { $list }. { $why }
said-immutability-stays = Immutability of vault '{ $name }' is locked; it stays on.
said-redundancy-stays = The redundancy of vault '{ $name }' is { $redundancy } and cannot be changed any more: it is locked by its first protected item.
said-soft-delete-days = Deleted data cannot be kept for { $days } days. Choose 14 to 180 days.
said-soft-delete-stays = Soft delete of vault '{ $name }' is always on.
said-vault-time = The stored vault time cannot be read: { $why }.

## Machines
said-vm-gone = Virtual machine '{ $name }' is gone: hypervisor '{ $hypervisor }' has not had it since { $time }. Bring it back, or restore it from a recovery point.
said-hypervisor-away = Hypervisor '{ $hypervisor }' of virtual machine '{ $name }' has not answered since { $time }. Try again when it is back.
said-vm-not-run = Virtual machine '{ $name }' is not run by Coffre. Start and stop it on hypervisor '{ $hypervisor }'.
said-hypervisor-lost-vm = Hypervisor '{ $hypervisor }' no longer has '{ $name }'.
said-bring-back = Bring the virtual machine back, restore it, or stop protection.
said-regions-differ = It is in region '{ $here }', the vault in '{ $there }'.
said-protects-already = Vault '{ $vault }' protects it already.

## Protection
said-other-region = Virtual machine '{ $name }' is in region '{ $here }', but vault '{ $vault }' is in region '{ $there }'. Use or create a vault in region '{ $again }'.
said-other-subscription = Virtual machine '{ $name }' is in another subscription than the vault.
said-earlier-vm = Vault '{ $vault }' holds recovery points of an earlier virtual machine '{ $name }' in resource group '{ $group }'. Stop protection of that item with deletion of its data first, or rename the new virtual machine.
said-other-vault = Virtual machine '{ $name }' is protected by vault '{ $vault }' in resource group '{ $group }'. A virtual machine is protected by one vault only: use that one, or stop protection there with deletion of the data.
said-back-to-standard = An item under an Enhanced policy ('{ $old }') cannot go back to a Standard one ('{ $new }'). Choose an Enhanced policy.
said-data-was-deleted = The backup data of '{ $name }' was deleted and is kept until { $time }. Bring it back with undelete first.
said-no-lun = Virtual machine '{ $name }' has no data disk with LUN { $lun }; it has these: { $list }.
said-no-item = Vault '{ $vault }' does not protect a virtual machine '{ $name }' of resource group '{ $group }'.
said-stopped = Protection of '{ $name }' is stopped. Resume it with a policy, then back up.
said-until = The recovery point cannot be kept until { $time }: that { $why }. Choose a time after { $time-now } and not after { $time-last }.
said-not-in-future = is not in the future
said-century = is more than 99 years away
said-no-date = '{ $text }' is not a date. Write it as year-month-day, as in 2027-01-31.
said-as-policy-says = Points of '{ $name }' can be kept as their policy says only in an immutable vault, and '{ $vault }' is none. Stop protection and keep the data, or switch immutability on.
said-immutable-delete = Vault '{ $vault }' is immutable: the { $count } recovery points of '{ $name }' cannot be deleted before their time. Stop protection and keep the data.
said-immutable-reduce = Vault '{ $vault }' is immutable: { $field } of '{ $policy }' would keep recovery points less long than that of '{ $old }' does. Schedules may change, and retention may grow.
said-not-deleted = The backup data of '{ $name }' was not deleted.

## Points
said-point-cannot = Recovery point '{ $point }' of '{ $name }' { $why }.
said-point-cannot-immutable = Recovery point '{ $point }' of '{ $name }' cannot be deleted before its time: vault '{ $vault }' is immutable.
said-point-newest = Recovery point '{ $point }' of '{ $name }' is the newest, which the next backup builds on. Back up again first, or stop protection with deletion of the data.
said-being-removed = is being removed
said-was-not-deleted = was not deleted
said-was-deleted-before = was deleted before
said-item-no-point = '{ $name }' has no recovery point '{ $point }'.
said-point-was-deleted = Recovery point '{ $point }' of '{ $name }' was deleted. Bring it back first, or use another.
said-no-account = There is no storage account '{ $name }'. There are these: { $list }.
said-account-region = Storage account '{ $name }' is in region '{ $here }', but vault '{ $vault }' is in region '{ $there }'. Use one of the vault's region.
said-vm-name-taken = Resource group '{ $group }' has a virtual machine '{ $name }' already. Choose another name.
said-point-no-lun = Recovery point '{ $point }' has no data disk with LUN { $lun }; it has these: { $list }.
said-must-be-off = Virtual machine '{ $name }' must be off before its disks are replaced, and Coffre may not stop it. Stop it on hypervisor '{ $hypervisor }', or restore the disks elsewhere.

## Jobs
said-cannot-cancel = { $why-kind } job '{ $id }' of '{ $name }' cannot be cancelled: { $why }.
said-has-ended = it has ended
said-only-tidying = its recovery point is complete; only tidying is left
said-only-backups = only backups and restores can be, before they are complete
said-cannot-retry = { $why-kind } job '{ $id }' of '{ $name }' cannot be done again: only backups and restores that failed or were cancelled can.
said-item-is-gone = The item is gone.
said-no-content = Job { $id } made a recovery point without saying what is in it.
said-lease = Lease { $lease } of job { $id } is over; another worker has it.
said-kind-backup = Backup
said-kind-restore = Restore
said-kind-configure = ConfigureBackup
said-kind-disable = DisableBackup
said-kind-delete = DeleteBackupData
said-kind-undelete = Undelete

## Policies
said-policy-in-use = Policy '{ $name }' protects { $list }. Put these items under another policy first.
said-policy-stays-enhanced = Policy '{ $name }' is an Enhanced policy (V2) and cannot become a Standard one (V1). Create another policy.
said-policy-taken = The vault has a policy '{ $name }' already. Choose another name, or edit that one.
said-policy-invalid = Input provided for the policy is invalid: { $field } { $why }.
said-zone-empty = is empty; use a zone name, for example 'UTC'
said-zone-unknown = names no zone: { $text }; use a Windows or an IANA name, for example { $list }
said-hourly-standard = is Hourly, which only an Enhanced policy (V2) can be; use Daily or Weekly
said-interval = is { $hours } hours; use 4, 6, 8, 12 or 24
said-window = is { $hours } hours; use a multiple of the interval ({ $interval }) from 4 to 24
said-keeps-nothing = keeps nothing; give at least one range, for example 30 days
said-no-daily-weekly = cannot be there when backups run weekly; give a weekly range
said-no-such-run = names { $day }, on which no backup runs
said-daily-missing = is missing; a policy that runs every day keeps its points for 7 to 9999 days
said-format-daily = is Daily, but backups run weekly; use Weekly
said-instant-long = is longer than the daily range; snapshots cannot outlive their points
said-half-hour = is { $text }; use the full or the half hour, for example 22:30
said-pick-one = is empty; pick at least one, for example { $text }
said-twice = names one value twice
said-out-of-range = is { $value }; use { $least } to { $most } { $why }
said-unit-days = days
said-unit-weeks = weeks
said-unit-months = months
said-unit-years = years
said-unit-date = as a date, or the last day
said-simulate-days = { $days } days cannot be simulated. Choose 1 to { $most } days.

## What a role allows
said-do-read = read resources
said-do-write-group = create or change resource groups
said-do-delete-group = delete resource groups
said-do-write-vault = create or change vaults
said-do-delete-vault = delete vaults
said-do-write-policy = create or change backup policies
said-do-delete-policy = delete backup policies
said-do-protect = protect virtual machines
said-do-stop = stop protection
said-do-delete-data = delete backup data
said-do-undelete = bring back deleted backup data
said-do-backup = start backups
said-do-restore = restore
said-do-cancel = cancel jobs
said-do-discover = discover virtual machines
said-do-deploy = deploy templates
said-do-write-resource = create or change resources
said-do-tag = change tags
said-do-power = start or stop virtual machines
said-do-account = create or change storage accounts
said-do-access = say who can sign in and what they may do

## Forms of the portal
said-choose-vault = Choose a vault from the list.
said-choose-machine = Choose a machine from the list.
said-choose-one-machine = Choose at least one virtual machine.
said-choose-subscription = Choose a subscription from the list.
said-choose-target = Choose where to restore: into a folder, in place, or as a new machine.
said-confirm-in-place = A restore in place replaces the disks of the virtual machine. Confirm it with the tick beneath, or restore into a folder.
said-confirm-deletion = Deleting backup data cannot be taken for granted. Confirm it with the tick.

## How whole a point is
said-off = the machine is off
said-was-off = the machine was off
said-agent-froze = the guest agent froze the file systems
said-agent-shadow = the guest agent took a volume shadow copy
said-agent-unsure = the guest agent did not tell whether it was frozen all the time
said-thawed-early = somebody thawed the guest before the point was taken
said-qemu-slow = QEMU took too long while the guest was frozen
said-not-asked = freezing was not asked for
said-no-channel = the machine has no channel for a guest agent
said-no-agent = there is no guest agent
said-agent-silent = the guest agent does not answer
said-nothing-to-freeze = the guest agent found no file system to freeze
said-freeze-slow = the guest did not freeze within { $duration }
said-freeze-refused = the guest agent refused to freeze: { $why }
said-freeze-failed = the guest agent failed while freezing: { $why }
said-frozen-by-others = the file systems of the guest are frozen by somebody else
said-agent-cannot-freeze = the guest agent cannot freeze: { $why }
said-maybe-frozen = the guest may still be frozen: { $why }
said-ext-scripts = the extension ran the scripts and froze the file systems
said-ext-froze = the extension froze the file systems
said-ext-says = the extension says
said-ext-code = the extension ended with code { $code }
said-ext-silent = the extension did not report how whole the point is
said-ext-none = there is no extension
said-ext-not-there = the extension is not there: { $why }
said-host-thawed = the guest did not say that it was thawed; the host thawed it
said-guest-thawed = the guest thawed by itself before it heard that the point was taken
said-only-crash = The recovery point is only crash-consistent: { $why }.
said-gone-with-snapshot = The virtual machine is gone; its snapshot went with it.

## Why everything was read
said-first-backup = this is the first backup
said-re-read = re-read everything because { $why }
said-disk-new = disk { $disk } is new
said-disk-smaller = disk { $disk } became smaller
said-disk-because = disk { $disk }: { $why }
said-base-unusable = the newest point cannot be built upon: { $why }
said-no-earlier = there is no earlier point
said-no-earlier-compare = there is no earlier point to compare with
said-nothing-noted = nothing is noted on this host about the earlier point
said-earlier-without-disk = the earlier point does not have this disk
said-size-changed = the size changed from { $bytes } to { $bytes-now } bytes
said-map-not-stored = QEMU ended without storing the change map
said-map-in-use = somebody else uses the change map
said-map-gaps = the change map did not record all the time
said-map-raw = a raw image keeps no change map when the machine is off or starts
said-map-missing = the change map is missing

## Why a job failed
said-cancelled = the job was cancelled
said-doing-snapshot = take the snapshot
said-doing-transfer = transfer data to the vault
said-doing-validate = validate the recovery point
said-doing-release = release the snapshot
said-doing-delete = delete the recovery point
said-doing-newest = look up the newest point
said-doing-point = look up the recovery point
said-doing-read-point = read the recovery point
said-doing-leftovers = look for leftovers of earlier backups
said-doing-in-place = restore in place
said-doing-replace = replace the disks
said-doing-put-back = put the old disks back
said-doing-off = turn the machine off
said-doing-ask = ask the machine
said-doing-start = start the machine
said-doing-stop = stop the machine
said-doing-find = find the machine
said-doing-folder = make the folder { $path }
said-doing-write-to = write to { $path }
said-doing-read-back = read back { $path }
said-doing-write-disk = write disk { $disk }
said-doing-store = make the store of the vault
said-doing-open-store = open the store of vault { $vault }
said-no-disk = the machine has no disk to back up; all are excluded or it has none
said-snapshot-gone = the snapshot of recovery point { $point } is gone; it must be taken again
said-vault-no-point = the vault holds no recovery point { $point }
said-there-no-point = there is no recovery point { $point }
said-description = the description of recovery point { $point } cannot be read
said-differs = { $path } is not what was written: { $why }
said-differs-size = it has { $bytes } bytes instead of { $bytes-wanted }
said-differs-at = the bytes at { $offset } are different
said-no-disk-number = the recovery point has no data disk with the number { $lun }
said-off-first = the machine { $name } must be off before its disks are replaced
said-target-vm-gone = the machine whose disks would be replaced is gone
said-no-hypervisor-has = no hypervisor has the virtual machine { $name } any more
said-vm-is-off = the machine { $name } is off
said-vm-must-be-off = the machine { $name } must be off for this
said-vm-no-start = the machine { $name } did not start: { $why }
said-vm-no-disk = the machine { $name } has no disk { $disk }
said-image-missing = the image { $path } of disk { $disk } of the machine { $name } is missing
said-has-snapshot = the machine { $name } still has the snapshot { $point }: release it first
said-snapshot-broke = the snapshot { $point } of the machine { $name } broke: { $why }
said-scratch-full = the scratch folder { $path } has { $bytes } bytes free, at least { $bytes-needed } are needed
said-ask-qemu = asking QEMU of the machine { $name }
said-ask-agent = asking the guest agent of the machine { $name }
said-moving-data = moving data of the disk { $disk }
said-shrank = the disk { $disk } shrank
said-point-let-go = a job that kept the point was ended by somebody
said-scratch-block = an old block could not be kept in the scratch space
said-vm-started = the machine was started
said-use-store = use of the store
said-no-vault-in-store = the store holds no vault
said-wrong-key = the passphrase or recovery key opens no key slot of this vault
said-damage = damage in { $object } at byte { $offset }: { $why }
said-source-read = read the source at byte { $offset }
said-target-write = write the target at byte { $offset }
said-no-space = No space left on device (os error 28)
said-row-gone = the { $what } of the job is gone

## The activity log
done-enable = { $vm } in vault { $vault } under policy { $policy }
done-until = { $vm } until { $time }
done-restore = { $vm } from point { $point }
done-vault = vault { $vault } in group { $group }
done-policy = policy { $policy } of vault { $vault }
done-vm = virtual machine { $vm }
done-group = resource group { $group }
done-account = storage account { $account }
done-point = point { $point } of { $vm }
done-hypervisors = all hypervisors
done-secret = { $name }: new secret
done-deletion = deletion of { $what } at { $scope }
done-deployment = deployment { $name } at { $scope }
done-vault-time = vault time confirmed at { $time }
done-cancel-backup = Backup of { $vm }
done-cancel-restore = Restore of { $vm }
done-again = { $why } again

## Resource guards
said-approval-needed = Resource guard '{ $guard }' protects this vault: to { $why }, { $people } has to approve. Request { $request } is filed; repeat this when it is granted.
said-approval-not-yours = Resource guard '{ $guard }' protects this vault: to { $why }, { $people } has to approve.
said-approval-decided = Request { $request } is { $state } and cannot be decided any more.
said-guard-held = Resource guard '{ $guard }' is held by { $people }; nobody else may do this.
said-guard-in-use = Resource guard '{ $guard }' protects vault { $list }.
said-ask-delete-item = delete all backup data of '{ $vm }'
said-ask-delete-point = delete recovery point { $point } of '{ $vm }'
said-ask-soft-delete-off = switch soft delete off in vault '{ $name }'
said-ask-soft-delete-days = keep deleted data for { $days } days only in vault '{ $name }'
said-ask-immutability-off = switch immutability of vault '{ $name }' off
said-ask-guard-away = take the resource guard from vault '{ $name }'
said-ask-policy = keep points of policy '{ $name }' less long ({ $field })
said-ask-other-policy = put '{ $vm }' under policy '{ $name }', which keeps less
done-asked-for = asked for: { $what }
done-granted = granted to { $name }: { $what }
done-refused = refused to { $name }: { $what }
done-used = used what { $name } granted: { $what }
done-guard = guard { $name }, held by { $people }
done-guard-gone = deletion of guard { $name }
done-guard-of = guard { $guard } for vault { $name }
done-no-guard = no guard for vault { $name }
said-empty-locked = The vault is immutable for ever: stop protection with retention as the policy says, and delete the vault when the last recovery point has had its time.
said-empty-unlocked = Switch immutability off first; then stop protection of each with deletion of its data.
said-empty-always = Stop protection of each with deletion of its data; soft delete of this vault is always on, so that deleted items go when their time is over and not before.
said-empty-soft = Stop protection of each with deletion of its data. Deleted items go when their time is over; to be rid of them at once, switch soft delete off and delete their data again.
said-empty-hard = Stop protection of each with deletion of its data; delete the data of deleted items again to be rid of them at once.
said-request-filed = Request { $request } is filed; repeat this when it is granted.
said-no-request = Vault '{ $name }' has no request '{ $request }'.
said-no-guard = No resource guard protects vault '{ $name }'.
said-no-other-holder = another holder, of whom there is none
said-request-unreadable = Request '{ $request }' cannot be read: { $why }.
said-guard-named = resource guard '{ $name }'
said-guard-leaves-out = No guard leaves out '{ $what }': it would guard nothing.
said-holder-gone = somebody who is gone ({ $id })
said-nobody-named = Nobody named '{ $name }' can sign in.
said-guard-not-found = The Resource 'Microsoft.DataProtection/resourceGuards/{ $name }' was not found.
said-guard-unreadable = Resource guard '{ $name }' cannot be read: { $why }.
said-guard-name = The name '{ $name }' breaks the rules: 1 to 80 letters, digits, hyphens, underscores and periods.
said-do-guard = create resource guards
said-do-approve = approve what a resource guard protects
