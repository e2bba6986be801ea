CREATE TABLE agenda (
    task TEXT NOT NULL,
    subject TEXT NOT NULL,
    due INTEGER,
    slot INTEGER,
    vault TEXT NOT NULL,
    host TEXT NOT NULL,
    PRIMARY KEY (task, subject)
) STRICT, WITHOUT ROWID;

CREATE INDEX agenda_due ON agenda (task, due, host, vault) WHERE due IS NOT NULL;

CREATE TABLE audit (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    time INTEGER NOT NULL,
    doc TEXT NOT NULL
, digest TEXT, who TEXT NOT NULL DEFAULT '', target TEXT NOT NULL DEFAULT '') STRICT;

CREATE INDEX audit_words ON audit (who, target);

CREATE TABLE item (
    id TEXT NOT NULL PRIMARY KEY,
    vault TEXT NOT NULL REFERENCES vault (id),
    vm TEXT NOT NULL,
    vm_group TEXT NOT NULL COLLATE NOCASE,
    vm_name TEXT NOT NULL COLLATE NOCASE,
    etag INTEGER NOT NULL,
    doc TEXT NOT NULL
, policy TEXT COLLATE NOCASE, urgency INTEGER NOT NULL DEFAULT 2, alert INTEGER NOT NULL DEFAULT 0, deleted INTEGER NOT NULL DEFAULT 0, points INTEGER NOT NULL DEFAULT 0, stored INTEGER NOT NULL DEFAULT 0) STRICT;

CREATE INDEX item_by_group ON item (vm_group, vm_name, id);

CREATE INDEX item_by_name ON item (vm_name, vm_group, id);

CREATE INDEX item_by_policy ON item (policy, vm_name, id);

CREATE INDEX item_by_urgency ON item (urgency, vm_name, id);

CREATE UNIQUE INDEX item_name ON item (vault, vm_group, vm_name);

CREATE INDEX item_of_vault ON item (vault, vm_name, vm_group, id, policy, deleted);

CREATE INDEX item_policy ON item (vault, policy) WHERE policy IS NOT NULL;

CREATE INDEX item_sums ON item (vault, points, stored, urgency, alert);

CREATE UNIQUE INDEX item_vm ON item (vm);

CREATE TABLE job (
    id TEXT NOT NULL PRIMARY KEY,
    vault TEXT,
    item TEXT,
    vm TEXT,
    operation TEXT NOT NULL COLLATE NOCASE,
    status TEXT NOT NULL,
    ended INTEGER NOT NULL CHECK (ended IN (0, 1)),
    created INTEGER NOT NULL,
    due INTEGER NOT NULL,
    lease_owner TEXT,
    lease_until INTEGER,
    epoch INTEGER NOT NULL,
    etag INTEGER NOT NULL,
    doc TEXT NOT NULL
, slot INTEGER) STRICT;

CREATE INDEX job_created ON job (created, id, vault, status, operation);

CREATE INDEX job_item ON job (item, created);

CREATE INDEX job_of_slot ON job (item, slot, created) WHERE slot IS NOT NULL;

CREATE INDEX job_operation ON job (operation, created, id, vault, status);

CREATE INDEX job_running ON job (due) WHERE ended = 0;

CREATE UNIQUE INDEX job_running_item ON job (item) WHERE ended = 0 AND item IS NOT NULL;

CREATE INDEX job_running_vm ON job (vm, created, id) WHERE ended = 0 AND vm IS NOT NULL;

CREATE UNIQUE INDEX job_slot ON job (item, slot)
    WHERE slot IS NOT NULL AND status NOT IN ('Failed', 'Cancelled');

CREATE INDEX job_status ON job (status, created, id, vault, operation);

CREATE INDEX job_vault ON job (vault, created, id, status, operation);

CREATE INDEX job_vault_status ON job (vault, status, created, id, operation);

CREATE INDEX job_vm ON job (vm, created);

CREATE TABLE migration (
    number INTEGER NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    checksum TEXT NOT NULL
) STRICT;

CREATE TABLE operation (
    id TEXT NOT NULL PRIMARY KEY,
    created INTEGER NOT NULL,
    etag INTEGER NOT NULL,
    doc TEXT NOT NULL
) STRICT;

CREATE INDEX operation_created ON operation (created);

CREATE TRIGGER point_added AFTER INSERT ON point BEGIN
    UPDATE item SET
        points = points + 1,
        stored = stored + coalesce(json_extract(NEW.doc, '$.stats.stored_bytes'), 0)
    WHERE id = NEW.item;
END;

CREATE TRIGGER point_changed AFTER UPDATE ON point BEGIN
    UPDATE item SET
        points = points - 1,
        stored = stored - coalesce(json_extract(OLD.doc, '$.stats.stored_bytes'), 0)
    WHERE id = OLD.item;
    UPDATE item SET
        points = points + 1,
        stored = stored + coalesce(json_extract(NEW.doc, '$.stats.stored_bytes'), 0)
    WHERE id = NEW.item;
END;

CREATE TRIGGER point_removed AFTER DELETE ON point BEGIN
    UPDATE item SET
        points = points - 1,
        stored = stored - coalesce(json_extract(OLD.doc, '$.stats.stored_bytes'), 0)
    WHERE id = OLD.item;
END;

CREATE TABLE point (
    id TEXT NOT NULL PRIMARY KEY,
    item TEXT NOT NULL REFERENCES item (id),
    number INTEGER NOT NULL,
    time INTEGER NOT NULL,
    etag INTEGER NOT NULL,
    doc TEXT NOT NULL
, slot INTEGER) STRICT;

CREATE INDEX point_newest ON point (time, id);

CREATE UNIQUE INDEX point_number ON point (item, number);

CREATE UNIQUE INDEX point_slot ON point (item, slot) WHERE slot IS NOT NULL;

CREATE INDEX point_time ON point (item, time);

CREATE TABLE policy (
    vault TEXT NOT NULL REFERENCES vault (id) ON DELETE CASCADE,
    name TEXT NOT NULL COLLATE NOCASE,
    etag INTEGER NOT NULL,
    doc TEXT NOT NULL,
    PRIMARY KEY (vault, name)
) STRICT;

CREATE TABLE principal (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL COLLATE NOCASE,
    etag INTEGER NOT NULL,
    doc TEXT NOT NULL
) STRICT;

CREATE UNIQUE INDEX principal_name ON principal (name);

CREATE TABLE record (
    kind TEXT NOT NULL,
    scope TEXT NOT NULL COLLATE NOCASE,
    name TEXT NOT NULL COLLATE NOCASE,
    etag INTEGER NOT NULL,
    doc TEXT NOT NULL,
    PRIMARY KEY (kind, scope, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE region (
    name TEXT NOT NULL PRIMARY KEY COLLATE NOCASE,
    etag INTEGER NOT NULL,
    doc TEXT NOT NULL
) STRICT;

CREATE TABLE resource_group (
    subscription TEXT NOT NULL REFERENCES subscription (id),
    name TEXT NOT NULL COLLATE NOCASE,
    etag INTEGER NOT NULL,
    doc TEXT NOT NULL,
    PRIMARY KEY (subscription, name)
) STRICT;

CREATE TABLE setting (
    key TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

CREATE TABLE storage_account (
    subscription TEXT NOT NULL,
    name TEXT NOT NULL COLLATE NOCASE,
    resource_group TEXT NOT NULL COLLATE NOCASE,
    etag INTEGER NOT NULL,
    doc TEXT NOT NULL,
    PRIMARY KEY (subscription, name),
    FOREIGN KEY (subscription, resource_group) REFERENCES resource_group (subscription, name)
) STRICT;

CREATE TABLE subscription (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL COLLATE NOCASE,
    etag INTEGER NOT NULL,
    doc TEXT NOT NULL
) STRICT;

CREATE TABLE vault (
    id TEXT NOT NULL PRIMARY KEY,
    subscription TEXT NOT NULL,
    resource_group TEXT NOT NULL COLLATE NOCASE,
    name TEXT NOT NULL COLLATE NOCASE,
    etag INTEGER NOT NULL,
    doc TEXT NOT NULL, region TEXT NOT NULL DEFAULT '' COLLATE NOCASE,
    FOREIGN KEY (subscription, resource_group) REFERENCES resource_group (subscription, name)
) STRICT;

CREATE INDEX vault_by_group ON vault (resource_group, name, id);

CREATE INDEX vault_by_name ON vault (name, resource_group, id);

CREATE UNIQUE INDEX vault_name ON vault (subscription, name);

CREATE INDEX vault_region ON vault (region);

CREATE TABLE vm (
    id TEXT NOT NULL PRIMARY KEY,
    subscription TEXT NOT NULL,
    resource_group TEXT NOT NULL COLLATE NOCASE,
    name TEXT NOT NULL COLLATE NOCASE,
    etag INTEGER NOT NULL,
    doc TEXT NOT NULL, region TEXT NOT NULL DEFAULT '' COLLATE NOCASE, hypervisor TEXT NOT NULL DEFAULT '', missing INTEGER NOT NULL DEFAULT 0, away INTEGER NOT NULL DEFAULT 0, seen INTEGER NOT NULL DEFAULT 0,
    FOREIGN KEY (subscription, resource_group) REFERENCES resource_group (subscription, name)
) STRICT;

CREATE INDEX vm_by_group ON vm (resource_group, name, id, missing);

CREATE INDEX vm_by_name ON vm (name, resource_group, id, missing);

CREATE INDEX vm_host ON vm (hypervisor, region, missing, away, seen);

CREATE UNIQUE INDEX vm_name ON vm (subscription, resource_group, name);

CREATE INDEX vm_of_region ON vm (subscription, region, resource_group, name, missing, id);
