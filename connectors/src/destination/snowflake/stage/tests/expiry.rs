//! Credentials end, at any time.

use protocol::ErrorKind;

use super::recorder::{Recorder, Reply, Request, accept, refuse};
use super::scripted::{Scripted, upload_to};
use super::*;

/// The credentials of the answer with that number.
fn place_of(store: Store, address: &str, number: usize) -> Place {
    let credentials = match store {
        Store::S3 => Credentials::Aws {
            key_id: format!("ASIAKEY{number}"),
            secret: Secret::new("canary"),
            token: Some(Secret::new(format!("canary-{number}"))),
        },
        Store::Azure => Credentials::Azure(Secret::new(format!("sv=1&sig=canary-{number}"))),
        _ => Credentials::Gcs(Secret::new(format!("canary-{number}"))),
    };
    Place { credentials, ..place(store, address) }
}

/// Whether the request shows the credentials of that answer.
fn shows(request: &Request, number: usize) -> bool {
    let all = format!("{} {:?}", request.target, request.headers);
    all.contains(&format!("canary-{number}"))
}

fn expired(store: Store) -> Reply {
    match store {
        Store::S3 => refuse(400, "ExpiredToken"),
        Store::Azure => refuse(403, "AuthenticationFailed"),
        _ => refuse(401, "AuthenticationRequired"),
    }
}

/// Statements that answer with fresh credentials and fresh keys each time.
fn fresh_each_time(store: Store, address: &str) -> (Arc<Scripted>, Vec<EncryptionMaterial>) {
    let keys: Vec<EncryptionMaterial> = (0..9).map(|_| material(16)).collect();
    let (address, given) = (address.to_owned(), keys.clone());
    let statements = Scripted::new(move |number, _| {
        Ok(upload_to(&place_of(store, &address, number), Some(&given[number])))
    });
    (statements, keys)
}

#[tokio::test]
async fn an_upload_whose_credentials_end_in_the_middle_goes_on_with_fresh_ones() {
    for store in [Store::S3, Store::Azure, Store::Gcs] {
        let recorder = Recorder::start(move |number, request| {
            // The first answer's credentials end after two requests; Google has just one.
            let ended = if store == Store::Gcs { 0 } else { 2 };
            if shows(request, 0) && number >= ended { expired(store) } else { accept(request) }
        })
        .await;
        let (statements, _) = fresh_each_time(store, &recorder.address);
        let area = Area::internal(statements.clone(), name(), network(), &std::env::temp_dir());
        let (run, content) = (Arc::new(Run::new(0)), content(20 << 20));
        let stage = stage(&area, "orders", &run);
        let file = staged(stage.as_ref(), &content).await.unwrap();
        assert_eq!(statements.asked().len(), 2, "{store:?}: {:?}", statements.asked());
        let requests = recorder.requests();
        let again: Vec<&Request> = requests.iter().filter(|request| shows(request, 1)).collect();
        let sent: usize =
            again.iter().filter(|request| request.method == "PUT").map(|request| request.body.len()).sum();
        assert!(sent >= (20 << 20) + 16, "{store:?}: all of it is sent with the fresh ones");
        // And the next file begins with them.
        staged(stage.as_ref(), &Bytes::from_static(b"x")).await.unwrap();
        assert_eq!(statements.asked().len(), 2);
        assert!(shows(recorder.requests().last().unwrap(), 1));
        assert!(file.path.ends_with("/00001.parquet"));
    }
}

#[tokio::test]
async fn the_key_is_wrapped_with_what_the_fresh_answer_says() {
    let recorder =
        Recorder::start(|_, request| if shows(request, 0) { expired(Store::S3) } else { accept(request) })
            .await;
    let (statements, keys) = fresh_each_time(Store::S3, &recorder.address);
    let area = Area::internal(statements, name(), network(), &std::env::temp_dir());
    let (run, content) = (Arc::new(Run::new(0)), content(100));
    staged(stage(&area, "orders", &run).as_ref(), &content).await.unwrap();
    let request = recorder.requests().pop().unwrap();
    let meta = |name: &str| request.header(&format!("x-amz-meta-{name}")).unwrap().to_owned();
    let envelope = crate::destination::snowflake::stage::cipher::Envelope {
        key: meta("x-amz-key"),
        iv: meta("x-amz-iv"),
        description: meta("x-amz-matdesc"),
    };
    let open = |key: &EncryptionMaterial| {
        let mut body = request.body.clone();
        crate::destination::snowflake::stage::cipher::decrypt(&envelope, key, &mut body).map(|()| body)
    };
    assert_eq!(open(&keys[1]).unwrap(), content);
    assert!(open(&keys[0]).is_err_and(|error| error.kind() == ErrorKind::Data));
}

#[tokio::test]
async fn credentials_that_are_always_refused_end_the_sync() {
    for store in [Store::S3, Store::Azure, Store::Gcs] {
        let recorder = Recorder::start(move |_, _| expired(store)).await;
        let (statements, _) = fresh_each_time(store, &recorder.address);
        let area = Area::internal(statements.clone(), name(), network(), &std::env::temp_dir());
        let run = Arc::new(Run::new(0));
        let error = staged(stage(&area, "orders", &run).as_ref(), &content(10)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Auth, "{error:?}");
        assert!(error.advice().unwrap().contains("temporary"), "{error:?}");
        assert!(!format!("{error:?}").contains("canary"), "{error:?}");
        assert_eq!(statements.asked().len(), 3);
    }
}

#[tokio::test]
async fn files_that_lose_their_credentials_at_once_ask_once() {
    let recorder =
        Recorder::start(|_, request| if shows(request, 0) { expired(Store::S3) } else { accept(request) })
            .await;
    let (statements, _) = fresh_each_time(Store::S3, &recorder.address);
    let area = Area::internal(statements.clone(), name(), network(), &std::env::temp_dir());
    let run = Arc::new(Run::new(0));
    let targets: Vec<String> = (0..20).map(|number| format!("t{number}")).collect();
    let stages: Vec<_> = targets.iter().map(|target| stage(&area, target, &run)).collect();
    let content = content(1000);
    let files = stages.iter().map(|stage| staged(stage.as_ref(), &content));
    for file in futures::future::join_all(files).await {
        file.unwrap();
    }
    assert_eq!(statements.asked().len(), 2, "{:?}", statements.asked());
    let put = r#"PUT 'file:///tmp/tidegate.parquet' '@"RAW"."PUBLIC"."_LOAD"/' AUTO_COMPRESS=FALSE SOURCE_COMPRESSION=NONE OVERWRITE=TRUE"#;
    assert!(statements.asked().iter().all(|sql| sql == put));
}

#[tokio::test]
async fn an_answer_that_does_not_come_fails_the_file_and_not_the_next() {
    let recorder = Recorder::willing().await;
    let address = recorder.address.clone();
    let statements = Scripted::new(move |number, _| {
        if number == 0 {
            Err(super::scripted::refused())
        } else {
            Ok(upload_to(&place(Store::S3, &address), None))
        }
    });
    let area = Area::internal(statements, name(), network(), &std::env::temp_dir());
    let run = Arc::new(Run::new(0));
    let stage = stage(&area, "orders", &run);
    let error = staged(stage.as_ref(), &content(10)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Transient);
    staged(stage.as_ref(), &content(10)).await.unwrap();
}

#[tokio::test]
async fn an_upload_is_begun_anew_where_its_requests_were_of_no_avail() {
    // A conflict is not repeated by the request.
    let recorder =
        Recorder::start(|number, request| if number < 2 { refuse(409, "Busy") } else { accept(request) });
    let recorder = recorder.await;
    let statements = Scripted::putting(place(Store::S3, &recorder.address), None);
    let area = Area::internal(statements.clone(), name(), network(), &std::env::temp_dir());
    let (run, content) = (Arc::new(Run::new(0)), content(2 << 20));
    staged(stage(&area, "orders", &run).as_ref(), &content).await.unwrap();
    assert_eq!((recorder.requests().len(), statements.asked().len()), (3, 1));
    assert!(recorder.requests()[2].body == content);
}
