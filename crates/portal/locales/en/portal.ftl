## Frame
overview = Overview
vms = Virtual machines
vm = Virtual machine
vaults = Recovery Services vaults
vault = Recovery Services vault
items = Backup items
item = Backup item
jobs = Backup jobs
job = Job
points = Recovery points
point = Recovery point
navigation = Main navigation
crumbs = You are here
skip-to-content = Skip to content
preferences = Preferences
language = Language
theme = Colours
theme-auto = As the system
theme-light = Light
theme-dark = Dark
apply = Apply
essentials = Essentials
show-all = Show all
to-overview = To the overview
to-vms = To the virtual machines
notifications = Notifications
notifications-new = { $count ->
    [one] Notifications: 1 new
   *[other] Notifications: { $count } new
}
notification-new = New
notifications-read = Mark all as read
notifications-none = Nothing to tell
notifications-none-text = Jobs that end and what goes wrong appear here.
az-copy = Copy as az command
az-copy-button = Copy
az-copied = Copied

## Signing in
sign-in = Sign in
sign-out = Sign out
sign-in-text = With the same name or client id and the same secret as for az.
sign-in-name = Name or client id
sign-in-secret = Password or secret

## Columns and fields
name = Name
group = Resource group
region = Region
subscription = Subscription
subscription-id = Subscription ID
state = State
status = Status
time = Time
size = Size
created = Created
duration = Duration
start-time = Start time
end-time = End time
operation = Operation
actions = Actions
schedule = Schedule
retention = Retention
save = Save
create = Create
create-new = Create new
choose = Choose
cancel = Cancel
none-yet = None yet
refresh = Refresh
percent = { $value }%
filter-name = Name or resource group
filter-all = All
filter-protected = Protected
filter-apply = Filter
filter-period = Period
filter-days = { $count ->
    [one] Last 24 hours
   *[other] Last { $count } days
}
pages = Pages
page-previous = Previous
page-next = Next
page-rows = { $from } to { $to } of { $count }
nothing-found = Nothing found
nothing-found-text = No entry matches the filter.

## Overview
tile-unprotected = { $count ->
    [0] every one is a backup item
    [one] 1 not protected
   *[other] { $count } not protected
}
tile-no-items = nothing is protected yet
tile-attention = { $count ->
    [0] all in order
    [one] 1 needs attention
   *[other] { $count } need attention
}
tile-failed = { $count ->
    [0] none failed in 24 hours
    [one] 1 failed in 24 hours
   *[other] { $count } failed in 24 hours
}
tile-vaults = { $count ->
    [one] in 1 vault
   *[other] in { $count } vaults
}
jobs-in-progress = Jobs in progress
points-newest = Newest recovery points

## Virtual machines
power = Power
power-running = Running
power-paused = Paused
power-stopped = Stopped
power-unknown = Unknown
vm-missing = Missing
vm-unreachable = Hypervisor away
vm-missing-text = Hypervisor { $hypervisor } has not had this machine since { $time }. Its recovery points can still be restored.
vm-unreachable-text = Hypervisor { $hypervisor } has not answered since { $time }. What you see here is what was known then.
agent = Guest agent
agent-ready = Ready
agent-silent = No answer
agent-not-configured = Not configured
agent-silent-advice = The guest agent does not answer. Install and start qemu-guest-agent in the machine; until then backups are crash-consistent.
agent-not-configured-advice = The machine has no channel for the guest agent, so backups are crash-consistent. Add a virtio-serial channel named org.qemu.guest_agent.0 and install qemu-guest-agent.
extension = VM extension
extension-not-offered = Not offered
extension-absent = Comes as soon as the machine runs and its agent answers
extension-installed = Ready
extension-failed = Failed
extension-failed-text = The VMSnapshot extension cannot be used: { $reason }. Backups go on through the guest agent.
os = Operating system
cpus-memory = CPUs / memory
hypervisor = Hypervisor
last-seen = Last seen
backup = Backup
vm-not-protected = Not protected
vm-back-up = Back up
vm-can-be-chosen = Can be chosen
vms-choose = Select virtual machines
vms-refresh = Look for new machines
vms-none = No virtual machine yet
vms-none-text = None of the configured hypervisors has a machine, or none was asked yet.
vm-jobs-none-text = Nothing was backed up or restored for this machine yet.
disks = Disks
disk-role = Role
disk-os = OS disk
disk-lun = Data disk, LUN { $lun }
disk-format = Format
disk-backed-up = Backed up
disk-left-out = Left out
count-vms = { $count ->
    [0] no virtual machine
    [one] 1 virtual machine
   *[other] { $count } virtual machines
}

## Vaults
vault-create = Create vault
vault-delete = Delete vault
vault-back-up = Back up virtual machines
vault-name-hint = 2 to 50 letters, digits and hyphens; a letter first; unique in the subscription.
vault-new-name = Name of the new vault
vaults-none = No vault yet
vaults-none-text = A Recovery Services vault keeps the recovery points of virtual machines of one region. Create one for each region that has machines to protect.
vault-items-none-text = This vault protects no virtual machine yet.
subscription-only = Subscription: { $name }
group-new = Or a new resource group
group-new-hint = Leave empty to use the one chosen above.
region-hint = A vault protects virtual machines of its own region only.
redundancy = Storage replication
redundancy-geo = Geo-redundant
redundancy-local = Locally redundant
redundancy-zone = Zone-redundant
redundancy-geo-text = A further copy at another site. Coffre does not make it: put the store on storage that replicates itself there.
redundancy-local-text = One copy, in the store of the region. It does not survive the loss of the site.
redundancy-zone-text = Copies in several zones. Coffre does not make them: put the store on storage that spans zones.
redundancy-hint = Can be changed until the vault protects its first item.
redundancy-open = Can be chosen until the vault protects its first item
redundancy-saved = Saved: { $redundancy }.
redundancy-locked = { $redundancy }. Can no longer be changed: the vault protects items or has done so. For another choice create another vault.
soft-delete = Soft delete
soft-delete-disabled = Off: deleted data is gone at once
soft-delete-enabled = { $count ->
    [one] On: deleted data can be brought back for 1 day
   *[other] On: deleted data can be brought back for { $count } days
}
soft-delete-always-on = { $count ->
    [one] Always on: deleted data can be brought back for 1 day
   *[other] Always on: deleted data can be brought back for { $count } days
}
immutability = Immutability
immutability-disabled = Off
immutability-unlocked = On, not locked
immutability-locked = On and locked

## Policies
policy = Backup policy
policies = Backup policies
policy-choose = Choose backup policy
policy-daily = Every day at { $time } ({ $zone })
policy-weekly = Every { $days } at { $time } ({ $zone })
policy-hourly = Every { $interval } hours from { $time }, for { $window } hours ({ $zone })
policy-only-crash = The guest is never frozen: crash-consistent only
retention-daily = { $count ->
    [one] Daily points are kept 1 day
   *[other] Daily points are kept { $count } days
}
retention-weekly = { $count ->
    [one] { $days } points are kept 1 week
   *[other] { $days } points are kept { $count } weeks
}
retention-monthly = { $count ->
    [one] Monthly points ({ $days }) are kept 1 month
   *[other] Monthly points ({ $days }) are kept { $count } months
}
retention-yearly = { $count ->
    [one] Yearly points ({ $days }; { $months }) are kept 1 year
   *[other] Yearly points ({ $days }; { $months }) are kept { $count } years
}
days-of-weeks = { $weeks } { $days }
day-last = last day
day-sunday = Sunday
day-monday = Monday
day-tuesday = Tuesday
day-wednesday = Wednesday
day-thursday = Thursday
day-friday = Friday
day-saturday = Saturday
week-first = first
week-second = second
week-third = third
week-fourth = fourth
week-last = last
month-january = January
month-february = February
month-march = March
month-april = April
month-may = May
month-june = June
month-july = July
month-august = August
month-september = September
month-october = October
month-november = November
month-december = December

## Enabling backup
enable-backup = Enable backup
protect-region = In region { $region }
protect-other-region = is in region { $region }; a vault protects machines of its own region only
protect-others = { $count ->
    [one] 1 vault cannot be chosen
   *[other] { $count } vaults cannot be chosen
}
protect-new-vault-hint = It is created in resource group { $group } and region { $region }, like the machine.
new-vault-redundancy = Its storage replication is “Geo-redundant” and cannot change any more once the machine is protected. For another one, create the vault first.
protect-default-policy = The machine gets the vault’s DefaultPolicy: every day, kept 30 days.
protect-no-vault = No vault is in the machine’s region, and your role may not create one. Ask an owner to create it.
protect-start = Start the first backup now
protect-start-hint = Enabling does not make a recovery point; the first backup does.

## Backup items
items-none = Nothing is protected yet
items-none-text = Choose a virtual machine and enable its backup.
item-protected = Protected
item-initial-pending = Warning (Initial backup pending)
item-initial-pending-text = There is no recovery point yet. The first backup makes it: start it with Back up now.
item-last-failed = Last backup failed
item-stopped = Protection stopped
item-stopped-text = { $count ->
    [0] No more backups are taken. There is no recovery point.
    [one] No more backups are taken. Its recovery point is kept.
   *[other] No more backups are taken. Its { $count } recovery points are kept.
}
item-deleted = Deleted
item-deleted-text = { $count ->
    [one] Its recovery point is removed after { $time }. Until then it can be brought back.
   *[other] Its { $count } recovery points are removed after { $time }. Until then they can be brought back.
}
item-resume = Resume protection
item-change-policy = Change policy
item-stop = Stop backup
item-delete = Delete backup data
item-undelete = Undelete
item-running-job = Show the running job
to-item = Show backup item
last-backup = Last backup status
last-point = Latest recovery point
pre-check = Backup pre-check
health-passed = Passed
health-action-required = Action required
health-action-suggested = Action suggested

## Recovery points
points-none = No recovery point yet
points-none-text = Recovery points appear here after the first backup.
item-points-none-text = The first backup makes the first recovery point.
certificate = Certificate
certificate-until = good until
certificate-remove = Remove
certificate-add = Add a certificate
certificate-pem = Certificate as PEM (an RSA key; the private key stays with the program)
device-title = Sign in on another device
device-text = A program on another device, such as az login --use-device-code, shows a code. Whoever lets it in gives it everything that { $name } may do. Enter only a code that you asked for yourself.
device-code = Code
device-wrong = This code is not known, or it has expired. Begin again on the other device.
device-allow = Let it in
device-refuse = Refuse
device-allowed = The other device is signed in now.
device-refused = The other device was refused.
count-points = { $count ->
    [one] 1 recovery point
   *[other] { $count } recovery points
}
point-newest = Newest recovery point
point-oldest = Oldest recovery point
point-moved = { $read } read, { $stored } stored
point-read-whole = Read whole: { $reason }
point-not-validated = Not validated
point-no-freeze = Not frozen
consistency = Consistency
consistency-application = Application-consistent
consistency-file-system = File-system consistent
consistency-crash = Crash-consistent
consistency-reason = Reason
freeze = Freeze window
kept-until = Kept until
kept-for-ever = Until somebody decides
tier = Tier
tier-instant = Snapshot
tier-vault = Vault
tier-archive = Archive
tier-instant-until = Snapshot (until { $time })
tier-no-snapshot = no snapshot: { $why }

## Back up now
backup-now = Back up now
retain-until = Retain backup till
retain-until-hint = Last day on which the recovery point is kept, in UTC.

## Restore
restore = Restore
restore-where = Restore to
restore-to-folder = Folder of a storage account
restore-to-folder-text = Writes the disks as image files into a new folder. Nothing else is changed.
restore-in-place = In place
restore-in-place-text = Replaces the disks of the machine. The present disks are kept until the restored ones are verified.
restore-new-vm = New machine
restore-new-vm-text = Makes another machine from all disks. The present machine is left alone.
restore-new-vm-name = Name of the new machine
restore-stops-vm = The machine is stopped by the restore if it runs.
restore-vm-must-be-off = The machine must be off. Stop it on hypervisor { $hypervisor } first.
restore-sure = Replace the disks of { $name }
restore-os-always = The OS disk is always restored.
restore-folder = Folder
storage-account = Storage account
restored-files = Restored files

## Stopping
stop-what = What becomes of the recovery points?
stop-keep = Keep backup data
stop-keep-text = { $count ->
    [0] No more backups are taken. There is no recovery point.
    [one] No more backups are taken. The recovery point stays until somebody deletes it, and can be restored.
   *[other] No more backups are taken. The { $count } recovery points stay until somebody deletes them, and can be restored.
}
stop-delete = Delete backup data
stop-delete-now = { $count ->
    [0] There is no recovery point.
    [one] The recovery point is removed at once and cannot be brought back.
   *[other] The { $count } recovery points are removed at once and cannot be brought back.
}
stop-delete-soft = { $count ->
    [0] There is no recovery point; the item can be brought back for { $days } days.
    [one] The recovery point can be brought back for { $days } days, then it is removed.
   *[other] The { $count } recovery points can be brought back for { $days } days, then they are removed.
}
stop-sure = Delete the backup data of { $name }
stop-nothing = There is nothing to stop: backups are stopped already, and the data cannot be deleted now.
stop-and-delete = Stop and delete

## Jobs
job-name = Workload name
jobs-none = No job yet
jobs-none-text = Backups and restores appear here as soon as they are started.
job-in-progress = In progress
job-queued = Queued
job-cancelling = Cancelling
job-completed = Completed
job-completed-with-warnings = Completed with warnings
job-failed = Failed
job-cancelled = Cancelled
job-cancel = Cancel job
job-not-started = Not started yet
job-progress = Progress of the data transfer
job-bytes = { $done } of { $total }
job-left = about { $time } left
job-retrying = { $count ->
    [one] The step failed once and is being tried again.
   *[other] The step failed { $count } times and is being tried again.
}
operation-backup = Backup
operation-backup-scheduled = Backup (scheduled)
operation-restore-disks = Restore disks
operation-restore-in-place = Restore in place
operation-restore-new-vm = Restore as new machine
operation-configure-backup = Configure backup
operation-disable-backup = Stop backup
operation-delete-backup-data = Delete backup data
operation-undelete = Undelete
job-start-vm = Start virtual machine
job-stop-vm = Stop virtual machine
operation-start-vm = Start virtual machine
operation-stop-vm = Stop virtual machine
operation-refresh = Discover virtual machines
steps = Steps
step = Step
step-take-snapshot = Take snapshot
step-transfer-to-vault = Transfer data to vault
step-validate = Validate
step-release-snapshot = Release snapshot
step-prepare-restore = Prepare target
step-transfer-from-vault = Transfer data from vault
step-publish-restore = Put in place
step-delete-points = Delete recovery points
step-not-started = Not started
step-undone = Undone
bytes-read = Read
bytes-new = New to the vault
bytes-stored = Stored
bytes-written = Written
read-whole-because = Read whole because

## Errors
error-status = HTTP status { $status }
error-no-page = There is no such page
error-no-page-text = The address is wrong, or what it showed is gone.
error-forged = The form cannot be accepted
error-forged-text = It was not sent by a page of this portal, or the page was opened too long ago. Nothing was changed. Open the page again and repeat.

## Policy editor
policy-create = Create policy
policy-delete = Delete policy
policy-preview = Show what it does
policy-more = More
policy-kind = Policy sub type
policy-standard = Standard (V1): once a day or a week
policy-enhanced = Enhanced (V2): up to every 4 hours
policy-items = { $count ->
    [0] protects no item
    [one] protects 1 item
   *[other] protects { $count } items
}
every-day = every day
every-week = on some weekdays
every-hours = every few hours
s-back-up = Back up
s-on = on
s-at = at
s-every = every
s-interval = Hours between two backups
s-window = Hours from the first to the last backup
s-hours-during = hours, for
s-hours-from = hours from
s-in-zone = in time zone
s-clocks = When clocks change
clocks-wall = the local time stays the same
clocks-fixed = the zone’s standard offset holds all year
s-keep-daily = Keep each day’s point for
s-days = days
s-short = allow fewer than 7 days
s-keep-weekly = Keep weekly points for
s-weeks = weeks
s-keep-monthly = Keep monthly points for
s-months = months
s-keep-yearly = Keep yearly points for
s-years = years
s-instant = Instant restore from snapshots for
weekdays = Days of the week
weeks = Weeks of the month
months = Months of the year
days-of-month = Days of the month
by-weekday = by weekday
by-date = by date
runs-next = Next five runs
runs-local = Local time
calendar = Retention calendar
calendar-text = Which rule keeps the point of each day longest, for a year
rule-tag-daily = Daily
rule-tag-weekly = Weekly
rule-tag-monthly = Monthly
rule-tag-yearly = Yearly
count-days = { $count ->
    [one] 1 day
   *[other] { $count } days
}
forecast = Forecast for one machine
forecast-after = After
forecast-space = Space, at most
after-days = { $count ->
    [one] 1 day
   *[other] { $count } days
}
after-years = { $count ->
    [one] 1 year
   *[other] { $count } years
}
forecast-measured = As measured in this vault: { $first } for the first backup, { $further } for each further one.
forecast-assumed = Nothing was measured in this vault yet; assumed: { $first } for the first backup, { $further } for each further one.
forecast-none = As soon as all fields are filled in correctly, what the policy does is shown here.
policy-name-example = Nightly-30
rule-name = 3 to 150 letters, digits and hyphens, a letter first; for example Nightly-30.
rule-kind = An Enhanced policy cannot become a Standard one again. Create another policy.
rule-frequency = Every few hours is for Enhanced policies (V2) only. Choose Enhanced under More, or every day.
rule-time = A time on the full or the half hour; for example 22:30.
rule-run-days = Pick at least one day; for example Sunday.
rule-interval = Every 4, 6, 8, 12 or 24 hours.
rule-window = A multiple of the interval from 4 to 24 hours; for example 12 with an interval of 4.
rule-zone = A time zone by its Windows or IANA name; for example Europe/Paris or Romance Standard Time.
rule-instant = 1 to 5 days (Standard) or 1 to 30 (Enhanced), 5 with a weekly schedule, and not longer than the daily range; for example 2.
rule-ranges = Keep at least one kind of points; for example weekly points for 12 weeks.
rule-daily = 7 to 9999 days (1 or more when fewer than 7 are meant); for example 30.
rule-weekly = 1 to 5163 weeks; for example 12.
rule-weekly-days = Pick at least one day on which a backup runs; for example Sunday.
rule-monthly = 1 to 1188 months; for example 12.
rule-month-days = Pick at least one day; with a weekly schedule choose by weekday; for example first Sunday.
rule-yearly = 1 to 99 years; for example 5.
rule-yearly-months = Pick at least one month; for example January.

## Settings, activity, costs, charts
settings = Settings
regions = Regions
regions-text = Sites with hypervisors, and the store in which their vaults keep their data
region-short = Short name
region-paired = Paired region
store = Store
hypervisors = Hypervisors
hypervisors-text = Named in the configuration file of the service
hypervisor-answers = Answers
storage-accounts = Storage accounts
storage-accounts-text = Folders that receive restored disks
tenant = Tenant
access = Users and roles
access-text = Who can sign in, here and with az, and what they may do. A role counts in every subscription.
access-new = Add a user or a program
people = Users and programs
kind = Kind
kind-person = User
kind-person-text = Signs in with a name and a password.
kind-program = Program
kind-program-text = Signs in with a client id and a secret, for az and scripts. The secret is made here and shown once.
roles = Roles
role-owner = Owner
role-contributor = Contributor
role-backup-contributor = Backup Contributor
role-backup-mua-admin = Backup MUA Admin
role-backup-operator = Backup Operator
role-reader = Reader
you = (you)
secret-renew = New secret
secret-sure = Replace the secret of { $name }: the present one no longer works
password-sure = Replace the password of { $name }: the present one no longer works
secret-once = Write it down: the secret is shown only now
password-change = Change password
password-changed = The password was changed. It counts from the next sign-in.
password-now = Present password
password-new = New password
password-again = The same again
password-first = First password
password-short = At least 12 characters, for example four words.
password-not-same = The two are not the same.
password-now-wrong = This is not the present password.
activity = Activity log
activity-text = Every change, with who made it. Nothing here can be edited.
activity-find = Who or what
activity-none = Nothing was changed yet
activity-none-text = Changes appear here as soon as somebody makes one.
who = Who
target = What it was done to
action-read = Looked
action-write-group = Create or change resource group
action-delete-group = Delete resource group
action-write-vault = Create or change vault
action-write-policy = Create or change policy
action-write-account = Create or change storage account
action-power = Start or stop virtual machine
action-access = Change access
costs = Cost report
costs-text = What the recovery points of each item take in the store, after deduplication and compression, as measured when they were made
costs-price = Price of a GiB for a month
costs-price-wrong = A number of 0 or more; for example 0.02.
costs-size = Size of the disks
costs-month = Cost a month
total = Total
churn = Read and stored
chart-freezes-note = Median: { $median }; 99 of 100: { $p99 }; longest: { $value }
tile-stored = Space stored
tile-points = { $count ->
    [one] in 1 recovery point
   *[other] in { $count } recovery points
}
tile-alerts = Alerts
tile-alerts-note = failed backups and failed pre-checks
calendar-none = no backup

## First run, checks
welcome = Welcome to Coffre
welcome-text = Three short steps to the first protected machine.
welcome-open = Set up
welcome-user = A user for you
welcome-user-text = Leave it empty to go on with the administrator’s name and secret.
welcome-store = Where backups go
welcome-vm = The first machine to protect
welcome-go = Create the vault and protect the machine
welcome-later = Later
welcome-all = Every machine is set up
welcome-all-text = Nothing is left to set up: every machine that the hypervisors have is a backup item already.
preflight = Checks before protection
check-away = The machine cannot be reached
check-here = The hypervisor answers and has the machine
check-off = The machine is off: its disks are copied as they are
check-agent = The guest agent answers: backups are at least file-system consistent
check-disks = { $count ->
    [one] 1 disk of { $size } is backed up
   *[other] { $count } disks of { $size } together are backed up
}
obstacle-region = It is in region { $there }, the vault in { $here }. Use a vault in { $there }, or create one there.
obstacle-this-vault = It is already an item of this vault.
obstacle-other-vault = It is already an item of the vault { $vault }. Use that vault, or delete its backup data there first.
menu-of = Actions for { $name }

## Deployments
action-deploy = Deploy template
action-tags = Change tags
action-resource = Create or change resource

## Guides
guides = Guides
guide-first-look = First look
guide-first-look-text = Both ways to protect a machine, the first backup, and the agent in the machine
guide-extension = VM snapshot extension
guide-extension-text = Schema, settings, template, az commands and result codes

## Charts
points-over-time = Recovery points over time

action-guard = Resource guards: change
action-approve = Decide about what a resource guard protects
approvals = Approvals
approvals-text = What takes protection from a vault under a resource guard needs a second person: one who holds the guard and did not ask for it. A grant holds once, for exactly this, for eight hours.
approvals-none = Nobody has asked for anything
approvals-none-text = Where a resource guard protects a vault, requests appear here as soon as somebody tries what it protects.
approval-grant = Grant
approval-refuse = Refuse
approval-until = Until
approval-asked = Waiting
approval-granted = Granted
approval-refused = Refused
approval-used = Done
approval-expired = Too late
sign-in-held = There were too many wrong tries. Try again in { $time }.
code = Code of your app, or a recovery code
code-text = Your password is right. Now the code that your app shows.
code-hint = Six digits that change every 30 seconds. Without your device: one of your recovery codes.
code-wrong = This code is wrong, or it was used already. Wait for the next one, and check the clock of your device.
code-begin-again = Sign in as somebody else
codes = Codes at sign-in
codes-text = With a code beside the password, a password that somebody learned is not enough.
codes-off-text = An app on your phone or computer (any app for one-time codes, TOTP) shows a new code every 30 seconds. From then on the portal asks for one when you sign in; az uses az login --use-device-code.
codes-begin = Set up an app
codes-scan = Let the app read this picture, then enter the code that it shows.
codes-picture = Picture with the secret for the app
codes-secret = Or type this secret into the app:
codes-first = The code that the app shows
codes-confirm = Turn on
codes-on = Codes are on. Write down your recovery codes
codes-recovery-text = Each of them is good for one sign-in when your device is lost. They are shown only now.
codes-since = On since
codes-left = Recovery codes left
codes-turn-off = Turn off
codes-reset = Turn codes off

## Resource guards
guards = Resource guards
guard = Resource guard
guards-text = A guard stands before what takes protection from a vault: one of its holders, who did not ask for it, has to approve.
guards-none = There is no resource guard yet
guards-none-text = Make one below, then put vaults under it. Somebody with the role Backup MUA Admin should hold it, not whoever runs the vaults.
guard-holders = Holders
guard-holders-hint = Names of those who approve, with commas between them. Name two or more: nobody approves what they asked for. Empty: you alone.
guard-left-out = Needs one person only
guard-nothing = Nothing
guard-no-vault = No vault yet
guard-protect = Protect this vault
guard-take-away = Take the guard away
guard-change = Change
guard-change-of = Change the guard { $name }
guard-delete = Delete the guard
guard-new = New resource guard
guard-name-hint = 1 to 80 letters, digits, hyphens, underscores and dots.
guard-covers = What needs a second person
guard-always = The first two always do.
critical-soft-delete = Switch soft delete off, or keep deleted data for fewer days
critical-guard = Take the guard from a vault
critical-policy = Change a policy so that it keeps points for less time
critical-protection = Put an item under a policy that keeps points for less time
critical-data = Delete backup data or single points
critical-immutability = Switch immutability off
critical-clock = Confirm that the clock of the service is right

## Guest log
guest-log = Guest log
guest-log-text = What the guest wrote while it was frozen and thawed, read at this moment through its agent.
guest-log-show = Show
guest-log-read = Read
guest-log-cut = only the end is shown
guest-log-empty = This file is empty.
guest-log-none = The guest has no log
guest-log-none-text = It is written with the first backup of a Linux machine that runs and whose guest agent answers. Look again after that.
guest-log-failed = The log cannot be read now
guest-log-failed-advice = See whether the machine runs and its guest agent answers, then refresh this page.
sign-in-provider = Sign in with { $name }
sign-in-provider-failed = The sign-in through the provider failed. Try again; if it stays so, tell whoever runs the service.
sign-in-go-on = Go on
