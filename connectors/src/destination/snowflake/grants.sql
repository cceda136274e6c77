-- The rights that tidegate needs to load into one schema of Snowflake, and no more.
-- Replace RAW_DB, RAW, LOAD_WH, TIDEGATE_LOADER and TIDEGATE_USER by your names, read it, and run it as
-- SECURITYADMIN (rights) and the owner of the database (schemas).

CREATE ROLE IF NOT EXISTS TIDEGATE_LOADER;
CREATE USER IF NOT EXISTS TIDEGATE_USER TYPE = SERVICE DEFAULT_ROLE = TIDEGATE_LOADER DEFAULT_WAREHOUSE = LOAD_WH;
-- The public half of the key pair, without its first and last line:
-- ALTER USER TIDEGATE_USER SET RSA_PUBLIC_KEY = '…';
GRANT ROLE TIDEGATE_LOADER TO USER TIDEGATE_USER;

-- The warehouse that loads. Let it fall asleep soon: ALTER WAREHOUSE LOAD_WH SET AUTO_SUSPEND = 60;
GRANT USAGE ON WAREHOUSE LOAD_WH TO ROLE TIDEGATE_LOADER;

GRANT USAGE ON DATABASE RAW_DB TO ROLE TIDEGATE_LOADER;

-- Where tables are that people read. tidegate owns those that it makes.
CREATE SCHEMA IF NOT EXISTS RAW_DB.RAW;
GRANT USAGE, CREATE TABLE ON SCHEMA RAW_DB.RAW TO ROLE TIDEGATE_LOADER;

-- Where tidegate's own objects are: state, stage, tables that are there while a commit is made.
CREATE SCHEMA IF NOT EXISTS RAW_DB._TIDEGATE;
GRANT USAGE, CREATE TABLE, CREATE STAGE ON SCHEMA RAW_DB._TIDEGATE TO ROLE TIDEGATE_LOADER;

-- Only with `schemas: namespace`, or where tidegate shall make both schemas itself:
-- GRANT CREATE SCHEMA ON DATABASE RAW_DB TO ROLE TIDEGATE_LOADER;

-- Only with `external_stage`:
-- GRANT USAGE ON STAGE RAW_DB.PUBLIC.LAKE_STAGE TO ROLE TIDEGATE_LOADER;

-- Only for tables that another role made, columns of which tidegate shall add and widen:
-- GRANT OWNERSHIP ON TABLE RAW_DB.RAW.ORDERS TO ROLE TIDEGATE_LOADER COPY CURRENT GRANTS;

-- Those who read:
-- GRANT SELECT ON FUTURE TABLES IN SCHEMA RAW_DB.RAW TO ROLE ANALYST;
