-- What the long lists are filtered and ordered by, so that no page reads a whole table.
ALTER TABLE vm ADD COLUMN region TEXT NOT NULL DEFAULT '' COLLATE NOCASE;
ALTER TABLE vm ADD COLUMN hypervisor TEXT NOT NULL DEFAULT '';
ALTER TABLE vm ADD COLUMN missing INTEGER NOT NULL DEFAULT 0;
ALTER TABLE vm ADD COLUMN away INTEGER NOT NULL DEFAULT 0;
ALTER TABLE vm ADD COLUMN seen INTEGER NOT NULL DEFAULT 0;
UPDATE vm SET
    region = coalesce(json_extract(doc, '$.region'), ''),
    hypervisor = coalesce(json_extract(doc, '$.hypervisor'), ''),
    missing = json_extract(doc, '$.missing_since') IS NOT NULL,
    away = json_extract(doc, '$.unreachable_since') IS NOT NULL,
    seen = coalesce(unixepoch(json_extract(doc, '$.seen')), 0) * 1000000;
CREATE INDEX vm_by_name ON vm (name, resource_group, id, missing);
CREATE INDEX vm_by_group ON vm (resource_group, name, id, missing);
CREATE INDEX vm_of_region ON vm (subscription, region, resource_group, name, missing, id);
CREATE INDEX vm_host ON vm (hypervisor, region, missing, away, seen);

ALTER TABLE vault ADD COLUMN region TEXT NOT NULL DEFAULT '' COLLATE NOCASE;
UPDATE vault SET region = coalesce(json_extract(doc, '$.region'), '');
CREATE INDEX vault_by_name ON vault (name, resource_group, id);
CREATE INDEX vault_by_group ON vault (resource_group, name, id);
CREATE INDEX vault_region ON vault (region);

ALTER TABLE item ADD COLUMN urgency INTEGER NOT NULL DEFAULT 2;
ALTER TABLE item ADD COLUMN alert INTEGER NOT NULL DEFAULT 0;
ALTER TABLE item ADD COLUMN deleted INTEGER NOT NULL DEFAULT 0;
UPDATE item SET
    urgency = CASE json_extract(doc, '$.state')
        WHEN 'IrPending' THEN 1
        WHEN 'Protected' THEN CASE json_extract(doc, '$.last_backup.outcome')
            WHEN 'Failed' THEN 0 WHEN 'CompletedWithWarnings' THEN 1 ELSE 2 END
        ELSE 2 END,
    deleted = json_type(doc, '$.state.SoftDeleted') IS NOT NULL;
UPDATE item SET alert = urgency = 0 OR json_extract(doc, '$.health') <> 'Passed';
CREATE INDEX item_by_name ON item (vm_name, vm_group, id);
CREATE INDEX item_by_group ON item (vm_group, vm_name, id);
CREATE INDEX item_by_policy ON item (policy, vm_name, id);
CREATE INDEX item_by_urgency ON item (urgency, vm_name, id);
CREATE INDEX item_of_vault ON item (vault, vm_name, vm_group, id, policy, deleted);

-- How many points an item has and what they take, kept by the points themselves.
ALTER TABLE item ADD COLUMN points INTEGER NOT NULL DEFAULT 0;
ALTER TABLE item ADD COLUMN stored INTEGER NOT NULL DEFAULT 0;
UPDATE item SET
    points = (SELECT count(*) FROM point WHERE point.item = item.id),
    stored = (SELECT coalesce(sum(json_extract(point.doc, '$.stats.stored_bytes')), 0)
              FROM point WHERE point.item = item.id);
CREATE INDEX item_sums ON item (vault, points, stored, urgency, alert);
CREATE INDEX point_newest ON point (time, id);
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

DROP INDEX job_created;
DROP INDEX job_status;
DROP INDEX job_vault;
CREATE INDEX job_created ON job (created, id, vault, status, operation);
CREATE INDEX job_status ON job (status, created, id, vault, operation);
CREATE INDEX job_operation ON job (operation, created, id, vault, status);
CREATE INDEX job_vault ON job (vault, created, id, status, operation);
CREATE INDEX job_vault_status ON job (vault, status, created, id, operation);

ALTER TABLE audit ADD COLUMN who TEXT NOT NULL DEFAULT '';
ALTER TABLE audit ADD COLUMN target TEXT NOT NULL DEFAULT '';
UPDATE audit SET
    who = coalesce(json_extract(doc, '$.name'), ''),
    target = coalesce(json_extract(doc, '$.target'), '');
CREATE INDEX audit_words ON audit (who, target);
