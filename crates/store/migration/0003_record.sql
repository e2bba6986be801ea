-- What clients keep beside the resources of backup: deployments, locks, role assignments, tags.
CREATE TABLE record (
    kind TEXT NOT NULL,
    scope TEXT NOT NULL COLLATE NOCASE,
    name TEXT NOT NULL COLLATE NOCASE,
    etag INTEGER NOT NULL,
    doc TEXT NOT NULL,
    PRIMARY KEY (kind, scope, name)
) STRICT, WITHOUT ROWID;
