CREATE TABLE payments (
  id            bigint        NOT NULL,
  payment_key   uuid          NOT NULL,
  merchant_id   integer       NOT NULL,
  amount        numeric(18,4) NOT NULL,
  currency      char(3)       NOT NULL,
  status        text          NOT NULL,
  reason        text,
  created_at    timestamptz   NOT NULL,
  updated_at    timestamptz   NOT NULL,
  details       jsonb         NOT NULL,
  labels        text[]        NOT NULL,
  is_test       boolean       NOT NULL,
  fee           double precision,
  settled_on    date
)
