use std::sync::Arc;

use futures_util::FutureExt;

use collabflow_protocol::model::Extra;

use super::*;
use crate::store::contract;

#[tokio::test]
async fn the_contract_holds() {
    contract::holds(async || Arc::new(MemoryStore::new())).await;
}

#[tokio::test]
async fn answers_that_are_held_come_when_they_are_released() {
    let store = MemoryStore::new();
    store.hold(Calls::Writes);
    let id = "0102030405060708090a0b0c".parse().expect("an id");
    let user = User {
        id,
        name: "Ada".into(),
        email: None,
        avatar: None,
        extra: Extra::default(),
    };
    let mut write = store.remember(user.clone());
    assert!((&mut write).now_or_never().is_none());
    // The write has taken effect at its call, and reads are not held.
    let read = store.user(id).now_or_never().expect("it is not held");
    assert_eq!(read.expect("the store answers"), Some(user));
    store.release();
    write.await.expect("the store answers");
    assert_eq!(store.writes(), 1);
}

#[tokio::test]
async fn a_call_that_fails_has_no_effect() {
    let store = MemoryStore::new();
    let away = StoreError::Unavailable("away".into());
    store.fail_with(Calls::All, away);
    let id = "0102030405060708090a0b0c".parse().expect("an id");
    let user = User {
        id,
        name: "Ada".into(),
        email: None,
        avatar: None,
        extra: Extra::default(),
    };
    assert!(store.ping().await.is_err());
    assert!(store.remember(user).await.is_err());
    store.mend();
    assert_eq!(store.user(id).await.expect("the store answers"), None);
}
