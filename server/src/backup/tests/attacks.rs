//! Archives of backups under attack.

use super::*;

/// Runs `attack` on a file's bytes, expects that the backup is not believed because of that file, and
/// puts the file back.
async fn refused(world: &World, file: &str, attack: impl FnOnce(&mut Vec<u8>)) -> String {
    let whole = fs::read(world.path(file)).unwrap();
    let mut bytes = whole.clone();
    attack(&mut bytes);
    assert_ne!(bytes, whole, "{file}: nothing was attacked");
    fs::write(world.path(file), bytes).unwrap();
    let (named, said) = damaged(world.believe(None).await.expect_err(file));
    assert_eq!(named, file, "{said}");
    fs::write(world.path(file), whole).unwrap();
    said
}

#[tokio::test]
async fn every_flipped_byte_and_every_cut_is_refused_by_the_name_of_the_file() {
    let mut world = World::new();
    world.grow(1_500);
    world.take().await;
    let files = world.files();
    assert!(files.len() > 4, "{files:?}");
    for file in &files {
        let length = fs::metadata(world.path(file)).unwrap().len() as usize;
        // All of a manifest's opening, and a prime step through the rest, never the same bit twice.
        let manifest = file.ends_with(".manifest");
        let step = if manifest { 13 } else { length / 12 + 1 };
        for at in (0..8.min(length)).chain((8..length).step_by(step)).chain([length - 1]) {
            refused(&world, file, |bytes| bytes[at] ^= 1 << (at % 8)).await;
        }
        for end in (0..length).step_by(4096) {
            refused(&world, file, |bytes| bytes.truncate(end)).await;
        }
        refused(&world, file, |bytes| bytes.truncate(length - 1)).await;
        refused(&world, file, |bytes| bytes.push(0)).await;
        if manifest {
            let said = refused(&world, file, |bytes| bytes.truncate(length - 64)).await;
            assert!(said.contains("changed or cut"), "{said}");
            let said = refused(&world, file, |bytes| bytes[length - 64..].fill(0)).await;
            assert!(said.contains("signature does not verify"), "{said}");
        }
    }
    world.believe(None).await.unwrap();
}

#[tokio::test]
async fn a_missing_chunk_is_refused_and_the_next_backup_writes_it_anew() {
    let mut world = World::new();
    world.grow(1_500);
    world.take().await;
    let chunks: Vec<_> =
        world.files().into_iter().filter(|file| file.starts_with("rows/")).collect();
    fs::remove_file(world.path(&chunks[0])).unwrap();
    let (file, said) = damaged(world.believe(None).await.unwrap_err());
    assert_eq!((file.as_str(), said.as_str()), (chunks[0].as_str(), "it is missing"));
    fs::write(world.path(&chunks[1]), b"damaged").unwrap();
    world.take().await;
    world.believe(None).await.unwrap();
}

#[tokio::test]
async fn spliced_backups_are_refused() {
    let mut world = World::new();
    world.grow(1_500);
    let older = world.take().await;
    let of_older = world.files();
    world.grow(1_500);
    let newer = world.take().await;
    let only_newer: Vec<_> = world
        .files()
        .into_iter()
        .filter(|file| file.starts_with("rows/") && !of_older.contains(file))
        .collect();
    assert!(!only_newer.is_empty());
    let old_chunk = of_older.iter().find(|file| file.starts_with("rows/")).unwrap();

    // A chunk of the one in the place of a chunk of the other.
    let foreign = fs::read(world.path(old_chunk)).unwrap();
    refused(&world, &only_newer[0], |bytes| *bytes = foreign).await;

    // The content of the one under the signature of the other.
    let [old, new] = [&older, &newer].map(|name| format!("backups/{name}.manifest"));
    let content = fs::read(world.path(&old)).unwrap();
    refused(&world, &new, |bytes| {
        let signature = bytes.split_off(bytes.len() - 64);
        *bytes = [&content[..content.len() - 64], &signature].concat();
    })
    .await;

    // Each is whole by itself, and by its own name.
    for name in [&older, &newer] {
        assert_eq!(world.believe(Some(name)).await.unwrap().name, *name);
    }
}

#[tokio::test]
async fn an_older_backup_is_taken_only_by_its_own_name() {
    let mut world = World::new();
    let older = world.take().await;
    world.grow(10);
    let newer = world.take().await;
    let found = world.believe(None).await.unwrap();
    assert_eq!((&found.name, &found.newest), (&newer, &newer));
    let found = world.believe(Some(&older)).await.unwrap();
    assert_eq!((&found.name, &found.newest), (&older, &newer));

    let [old, new] = [&older, &newer].map(|name| format!("backups/{name}.manifest"));
    let replayed = fs::read(world.path(&old)).unwrap();
    let said = refused(&world, &new, |bytes| *bytes = replayed.clone()).await;
    assert!(said.contains("renamed or exchanged"), "{said}");

    // Under a new name, as if it had been taken later.
    let forged = "backups/29990101T000000.000Z-00000000.manifest";
    fs::write(world.path(forged), replayed).unwrap();
    let (file, said) = damaged(world.believe(None).await.unwrap_err());
    assert_eq!(file, forged);
    assert!(said.contains("renamed or exchanged"), "{said}");
}

#[tokio::test]
async fn only_operators_of_the_clusters_own_authority_are_believed() {
    let mut world = World::new();
    world.take().await;
    let taken = world.files();

    // Another cluster of the same name.
    let mut foreign = World::new();
    foreign.take().await;
    foreign.archive = world.archive.clone();
    let (_, said) = damaged(foreign.believe(None).await.unwrap_err());
    assert!(said.contains("no operator of this cluster"), "{said}");

    // A node of this cluster.
    let hosts = ["127.0.0.1".to_owned()];
    let node = world.authority.node("n1", "dc1", &hosts).unwrap();
    let files = write(&world.scratch, "node", &node);
    let refused = Signer::load(&files, &world.trust).err().unwrap().to_string();
    assert!(refused.contains("cannot sign for this cluster"), "{refused}");

    // Another operator's key beside the certificate.
    let other = write(&world.scratch, "other", &world.authority.operator("other").unwrap());
    let mixed = OperatorFiles { key: other.key.clone(), ..files };
    let mixed = OperatorFiles { cert: world.scratch.path().join("operator.pem"), ..mixed };
    let refused = Signer::load(&mixed, &world.trust).err().unwrap().to_string();
    assert!(refused.contains("is not the key of"), "{refused}");

    // A certificate that was not valid when the backup says it was taken; nothing is left behind.
    for year_ms in [946_684_800_000, 4_102_444_800_000] {
        let (_, said) = damaged(world.take_as(year_ms).await.unwrap_err());
        assert!(said.contains("no operator of this cluster"), "{said}");
        assert_eq!(world.files(), taken);
    }
    world.believe(None).await.unwrap();
}

#[tokio::test]
async fn a_place_without_a_backup_is_said_to_hold_none() {
    let world = World::new();
    let refused = world.believe(None).await.unwrap_err();
    assert!(matches!(refused, BackupError::Refused(Refusal::NoBackup { .. })), "{refused:?}");
    for place in ["/nonexistent/archive", "ftp://somewhere", "s3://"] {
        let refused = Archive::open(place).err().unwrap();
        assert!(matches!(refused, UsageError::Place { .. }), "{refused}");
    }
}
