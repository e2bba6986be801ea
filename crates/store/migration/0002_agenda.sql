-- What is to be done by itself, and when: one row for each task of an item or a vault. No document:
-- the rows change with every slot, and the tick reads the index only.
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

ALTER TABLE item ADD COLUMN policy TEXT COLLATE NOCASE;
UPDATE item SET policy = json_extract(doc, '$.policy');
CREATE INDEX item_policy ON item (vault, policy) WHERE policy IS NOT NULL;

-- An item has one point for a slot, whatever a bug or a clock does.
ALTER TABLE point ADD COLUMN slot INTEGER;
CREATE UNIQUE INDEX point_slot ON point (item, slot) WHERE slot IS NOT NULL;

-- A slot that failed is free for another attempt.
ALTER TABLE job ADD COLUMN slot INTEGER;
CREATE UNIQUE INDEX job_slot ON job (item, slot)
    WHERE slot IS NOT NULL AND status NOT IN ('Failed', 'Cancelled');
CREATE INDEX job_of_slot ON job (item, slot, created) WHERE slot IS NOT NULL;
