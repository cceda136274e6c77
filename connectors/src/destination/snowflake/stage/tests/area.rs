//! What becomes of files that are staged.

use protocol::ErrorKind;

use super::internal::World;
use super::*;

#[tokio::test]
async fn discarded_files_are_gone() {
    let world = World::new(true);
    let run = Arc::new(Run::new(0));
    let (stage, content) = (stage(&world.area, "orders", &run), content(100));
    let [first, second] =
        [staged(stage.as_ref(), &content).await.unwrap(), staged(stage.as_ref(), &content).await.unwrap()];
    stage.discard(std::slice::from_ref(&first)).await.unwrap();
    let listed = world.area.list("orders/").await.unwrap();
    assert_eq!(
        listed.iter().map(|file| file.path.as_str()).collect::<Vec<_>>(),
        [format!("orders/{}", second.path)]
    );
    stage.discard(&[second]).await.unwrap();
    assert_eq!(world.area.list("").await.unwrap(), []);
    // The last file of a folder takes the folder with it.
    assert!(world.statements.asked().iter().any(|sql| sql.starts_with("REMOVE") && sql.ends_with("/'")));
}

#[tokio::test]
async fn a_file_whose_commit_may_stand_is_kept() {
    let world = World::new(true);
    let run = Arc::new(Run::new(0));
    let (stage, content) = (stage(&world.area, "orders", &run), content(100));
    stage.claim();
    let [doubted, other] =
        [staged(stage.as_ref(), &content).await.unwrap(), staged(stage.as_ref(), &content).await.unwrap()];
    run.doubt(std::slice::from_ref(&doubted));
    let both = [doubted.clone(), other];
    assert_eq!(stage.discard(&both).await.unwrap_err().kind(), ErrorKind::Transient);
    assert_eq!(world.area.list("").await.unwrap().len(), 2);
    stage.release().await;
    let listed = world.area.list("").await.unwrap();
    assert_eq!(listed.len(), 1, "{listed:?}");
    assert!(listed[0].path.ends_with(&doubted.path));
}

#[tokio::test]
async fn the_end_of_a_sync_removes_what_nobody_waits_for() {
    for claims in [true, false] {
        let world = World::new(true);
        let run = Arc::new(Run::new(0));
        let (stage, content) = (stage(&world.area, "orders", &run), content(100));
        if claims {
            stage.claim();
        }
        let committed = staged(stage.as_ref(), &content).await.unwrap();
        let _forgotten = staged(stage.as_ref(), &content).await.unwrap();
        run.reached(1);
        let next = staged(stage.as_ref(), &content).await.unwrap();
        assert!(next.path.starts_with("00000002-"), "{}", next.path);
        world.area.remove_files("orders", &run, &[committed]).await.unwrap();
        assert_eq!(world.area.list("").await.unwrap().len(), 2, "others wait for their commit");
        stage.release().await;
        let left = world.area.list("").await.unwrap().len();
        assert_eq!(left, if claims { 0 } else { 2 }, "what is read for another to commit stays");
    }
}

#[tokio::test]
async fn a_sync_that_commits_all_it_staged_asks_little() {
    let world = World::new(true);
    let content = content(100);
    for target in ["a", "b", "c"] {
        let run = Arc::new(Run::new(0));
        let stage = stage(&world.area, target, &run);
        stage.claim();
        let files = [(); 3].map(|()| staged(stage.as_ref(), &content));
        let files: Vec<_> = futures::future::try_join_all(files).await.unwrap();
        world.area.remove_files(target, &run, &files).await.unwrap();
        stage.release().await;
    }
    let asked = world.statements.asked();
    // Where to upload, once; and one folder of each target removed.
    assert_eq!(asked.len(), 4, "{asked:?}");
    assert_eq!(world.area.list("").await.unwrap(), []);
}

#[tokio::test]
async fn a_writer_that_is_dropped_leaves_nothing() {
    let world = World::new(true);
    let run = Arc::new(Run::new(0));
    let stage = stage(&world.area, "orders", &run);
    stage.claim();
    for abandon in [true, false] {
        let mut writer = stage.create(None).await.unwrap();
        writer.write(content(5 << 20)).await.unwrap();
        if abandon {
            writer.abandon().await.unwrap();
        }
    }
    stage.release().await;
    assert_eq!(world.statements.asked().len(), 1, "nothing was there to remove");
    assert_eq!(world.area.list("").await.unwrap(), []);
}
