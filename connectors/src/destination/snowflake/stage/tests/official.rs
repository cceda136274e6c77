//! The official Python driver's own code opens what is uploaded here, and seals what is read.

use serde_json::{Map, Value};

use super::internal::World;
use super::*;

fn python(arguments: &[&str]) -> Value {
    lab::python("staged_file.py", arguments)
}

#[tokio::test]
async fn opens_files_of_every_size() {
    let (world, folder) = (World::new(true), tempfile::tempdir().unwrap());
    let run = Arc::new(Run::new(41));
    let stage = stage(&world.area, "public.orders", &run);
    for size in [0, 1, 15, 16, 17, 1 << 20, (8 << 20) - 16, 8 << 20, (17 << 20) + 3] {
        let content = content(size);
        let file = staged(stage.as_ref(), &content).await.unwrap();
        let (stored, metadata) =
            world.object(&format!("{}/{}", super::super::target_folder("public.orders"), file.path)).await;
        assert_eq!(file.placement["stored_bytes"], stored.len(), "{size}");
        let path = folder.path().join("stored");
        std::fs::write(&path, &stored).unwrap();
        let metadata: Map<String, Value> =
            metadata.into_iter().map(|(name, value)| (name, value.into())).collect();
        let digest = metadata["sfc-digest"].clone();
        let told = Value::from(metadata).to_string();
        let opened = python(&["open", path.to_str().unwrap(), world.material.master_key.reveal(), &told]);
        assert_eq!(opened["bytes"], size);
        assert_eq!(opened["digest"], digest, "{size}");
        assert_eq!(file.placement["digest"], digest);
        assert!(stored.len() < size + 17 && (size < 16 || stored[..16] != content[..16]));
    }
}

#[tokio::test]
async fn seals_files_that_are_read_here() {
    let (world, folder) = (World::new(true), tempfile::tempdir().unwrap());
    for size in [0, 1, 16, 70_000] {
        let content = content(size);
        let (plain, sealed) = (folder.path().join("plain"), folder.path().join("sealed"));
        std::fs::write(&plain, &content).unwrap();
        let key = world.material.master_key.reveal();
        let told = python(&["seal", plain.to_str().unwrap(), key, sealed.to_str().unwrap()]);
        let metadata: Vec<(String, String)> = told
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
            .collect();
        world.plant("_heads/h.json", &std::fs::read(&sealed).unwrap(), &metadata).await;
        assert!(world.area.get("_heads/h.json").await.unwrap().unwrap() == content, "{size}");
    }
}
