-- Each record of the audit carries a digest of itself and of the one before it: whoever changes or
-- removes one breaks the chain. Records from before have none.
ALTER TABLE audit ADD COLUMN digest TEXT;
