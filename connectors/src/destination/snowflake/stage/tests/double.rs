//! A stage by a real session, on the stand-in for Snowflake: it checks the credentials it lends, and opens
//! files with the official driver's code when they are loaded.

use arrow_array::{ArrayRef, Int64Array, RecordBatch};
use lab::snowflake::{Account, Fault, Snowflake};
use parquet::arrow::ArrowWriter;
use protocol::ErrorKind;
use serde_json::json;

use super::*;
use crate::destination::snowflake::client::{self, QueryTag, Session};

struct World {
    account: Account,
    area: Area,
}

fn world(options: &str) -> World {
    let account = Snowflake::shared().account();
    let stage = format!(r#""{}"."{}"."_LOAD""#, account.database, account.schema);
    account.execute(&format!("CREATE STAGE {stage}{options}"));
    let settings: client::Account = serde_json::from_value(json!({
        "account": account.account, "host": account.host(), "port": account.port(), "protocol": "http",
        "user": account.user, "password": account.password, "role": account.role,
        "database": account.database, "schema": account.schema,
    }))
    .unwrap();
    let session = Session::open(settings, QueryTag::new("test")).unwrap();
    let area = Area::internal(Arc::new(session), StageName::new(stage), network(), &std::env::temp_dir());
    World { account, area }
}

fn puts(account: &Account) -> usize {
    account.statements().iter().filter(|sql| sql.starts_with("PUT")).count()
}

/// A file of three rows.
fn rows() -> Bytes {
    let ids: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
    let batch = RecordBatch::try_from_iter([("ID", ids)]).unwrap();
    let mut file = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    file.write(&batch).unwrap();
    file.into_inner().unwrap().into()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_staged_is_loaded_by_its_name() {
    for options in ["", " ENCRYPTION = (TYPE = 'SNOWFLAKE_SSE')"] {
        let World { account, area } = world(options);
        account.execute("CREATE TABLE orders (id NUMBER(38, 0))");
        let run = Arc::new(Run::new(0));
        let stage = stage(&area, "public.orders", &run);
        let files =
            [staged(stage.as_ref(), &rows()).await.unwrap(), staged(stage.as_ref(), &rows()).await.unwrap()];
        for (file, loaded) in files.iter().zip(["3", "6"]) {
            account.execute(&format!(
                "COPY INTO orders FROM {} FILES = ('{}') FILE_FORMAT = (TYPE = PARQUET) MATCH_BY_COLUMN_NAME = \
                 CASE_INSENSITIVE",
                area.place("public.orders"),
                file.path
            ));
            assert_eq!(account.value("SELECT COUNT(*) FROM orders").as_deref(), Some(loaded));
        }
        let listed = area.list("").await.unwrap();
        let stored: Vec<_> = files.iter().map(|file| file.placement["stored_bytes"].as_u64()).collect();
        assert_eq!(listed.iter().map(|file| Some(file.bytes)).collect::<Vec<_>>(), stored);
        area.remove_files("public.orders", &run, &files).await.unwrap();
        assert_eq!(area.list("").await.unwrap(), []);
        assert_eq!(puts(&account), 1);
        assert!(!account.asked().iter().any(|asked| asked.needs_warehouse), "{:?}", account.asked());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn small_files_come_back_without_a_warehouse() {
    let World { account, area } = world("");
    account.suspend();
    assert_eq!(area.get("_heads/orders.json").await.unwrap(), None);
    for content in ["{}", "", "{\"sequence\": 7}"] {
        area.put("_heads/orders.json", &content.into()).await.unwrap();
        assert_eq!(area.get("_heads/orders.json").await.unwrap().unwrap(), content);
    }
    area.remove("_heads/orders.json").await.unwrap();
    assert_eq!(area.get("_heads/orders.json").await.unwrap(), None);
    assert!(!account.is_awake());
    assert_eq!(puts(&account), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_file_goes_on_when_its_credentials_end() {
    let World { account, area } = world("");
    account.fault(Fault::short_credentials(0.0));
    let (run, content) = (Arc::new(Run::new(0)), content(20 << 20));
    let stage = stage(&area, "orders", &run);
    let file = staged(stage.as_ref(), &content).await.unwrap();
    assert_eq!(puts(&account), 2);
    assert!(area.get(&format!("orders/{}", file.path)).await.unwrap().unwrap() == content);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_busy_is_asked_again() {
    let World { account, area } = world("");
    account.fault(Fault::status(503).at_stage().times(2));
    let run = Arc::new(Run::new(0));
    staged(stage(&area, "orders", &run).as_ref(), &content(100)).await.unwrap();
    assert_eq!(account.faults_left(), 0);
    assert_eq!(puts(&account), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_may_not_write_is_told_before_anything_is_read() {
    let World { account, area } = world("");
    account.deny("WRITE ON STAGE");
    let run = Arc::new(Run::new(0));
    let error = stage(&area, "orders", &run).create(None).await.err().expect("it is refused");
    assert_eq!(error.kind(), ErrorKind::Auth, "{error:?}");
}
