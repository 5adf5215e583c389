use std::{
    fs::{self, OpenOptions},
    io::{Seek, SeekFrom, Write},
};

use super::*;

/// What the start says of the file: one line that names it.
fn refusal(place: &Place) -> String {
    let Err(error) = SqliteStore::open(&place.path(), &Options::default()) else {
        panic!("it opens");
    };
    let line = error.to_string();
    assert!(line.contains(place.path().to_str().expect("plain text")));
    assert!(!line.contains('\n'), "{line}");
    line
}

/// A closed file with so much in it that each table has pages of its own.
async fn filled(place: &Place) {
    let store = place.open();
    for number in 0..100 {
        ok(place.write(&store, &format!("{number}{}", "x".repeat(500)))).await;
    }
    store.close().await;
}

#[test]
fn a_file_that_is_no_database_stops_the_start() {
    let place = Place::new();
    fs::write(place.path(), "some text that somebody wrote. ".repeat(100)).expect("a file");
    assert!(refusal(&place).contains("damaged"));
}

#[tokio::test]
async fn a_file_that_was_cut_off_stops_the_start() {
    let place = Place::new();
    filled(&place).await;
    let file = OpenOptions::new().write(true).open(place.path());
    let file = file.expect("the file of the store");
    let length = file.metadata().expect("it has a size").len();
    file.set_len(length / 2).expect("it is cut off");
    assert!(refusal(&place).contains("damaged"));
}

#[tokio::test]
async fn a_file_that_was_written_over_stops_the_start() {
    let place = Place::new();
    filled(&place).await;
    let file = OpenOptions::new().write(true).open(place.path());
    let mut file = file.expect("the file of the store");
    let length = file.metadata().expect("it has a size").len();
    let page = length / 4_096 / 2 * 4_096;
    file.seek(SeekFrom::Start(page)).expect("a page inside");
    file.write_all(&[0x5a; 4_096]).expect("it is written over");
    assert!(refusal(&place).contains("damaged"));
}

#[test]
fn a_database_of_another_program_stops_the_start() {
    let place = Place::new();
    place
        .connection()
        .execute_batch("CREATE TABLE cookies (host TEXT)")
        .expect("a table");
    assert!(refusal(&place).contains("another program"));
}

#[tokio::test]
async fn a_database_of_a_newer_version_stops_the_start() {
    let place = Place::new();
    place.open().close().await;
    place
        .connection()
        .pragma_update(None, "user_version", schema::VERSION + 1)
        .expect("a plain setting");
    assert!(refusal(&place).contains("newer version"));
}

#[test]
fn a_folder_that_cannot_be_made_stops_the_start() {
    let place = Place::new();
    fs::write(place.path(), "").expect("a file");
    let inside = place.path().join("data/collabflow.db");
    let error = SqliteStore::open(&inside, &Options::default()).err();
    assert!(matches!(error, Some(OpenError::Folder { .. })), "{error:?}");
}

#[test]
fn a_file_that_cannot_be_written_stops_the_start() {
    let place = Place::new();
    fs::create_dir(place.path()).expect("a folder in its place");
    assert!(refusal(&place).contains("cannot write"));
}

#[cfg(unix)]
#[test]
fn folder_and_file_are_for_the_servers_user_alone() {
    use std::os::unix::fs::PermissionsExt;

    let place = Place::new();
    let folder = place.folder.path().join("new/data");
    let file = folder.join("collabflow.db");
    let _store = SqliteStore::open(&file, &Options::default()).expect("it opens");
    let mode = |path: &Path| {
        let metadata = fs::metadata(path).expect("it is there");
        metadata.permissions().mode() & 0o777
    };
    assert_eq!(mode(&folder), 0o700);
    assert_eq!(mode(&file), 0o600);
    assert_eq!(mode(&folder.join("collabflow.db-wal")), 0o600);
}
