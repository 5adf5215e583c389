//! Accounts: an email has one at most.

use collabflow_protocol::model::UserPatch;

use super::stage::{Stage, found, ok};

super::cases![
    an_account_is_found_by_id_and_by_email,
    an_account_is_found_by_its_email_in_any_case,
    an_email_has_one_account,
    who_is_not_known_is_not_found,
    emails_that_only_look_alike_are_different,
    a_hash_is_replaced_only_where_it_is_still_the_old_one,
    a_user_changes_its_name_and_avatar,
];

async fn an_account_is_found_by_id_and_by_email(stage: Stage) {
    let new = stage.new_account("Ada");
    let user = found(stage.store.register(new.clone())).await;
    assert_eq!(
        (user.id, user.name.as_str(), user.email.as_deref()),
        (new.id, "Ada", Some("ada@example.com"))
    );
    assert_eq!(user.avatar, None);
    assert_eq!(found(stage.store.user(user.id)).await, user);
    assert_eq!(
        found(stage.store.user_by_email(new.email.clone())).await,
        user
    );
    let account = found(stage.store.account(new.email)).await;
    assert_eq!(account.user, user);
    assert_eq!(account.password_hash, "hash of Ada");
}

async fn an_account_is_found_by_its_email_in_any_case(stage: Stage) {
    let ada = stage.account("Ada").await;
    for typed in ["Ada@Example.com", "ADA@EXAMPLE.COM", "ada@example.com"] {
        let account = found(stage.store.account(typed.into())).await;
        assert_eq!(account.user, ada, "{typed}");
    }
}

async fn an_email_has_one_account(stage: Stage) {
    let first = stage.account("Ada").await;
    let second = stage.new_account("Ada");
    let id = second.id;
    assert_eq!(ok(stage.store.register(second)).await, None);
    assert_eq!(ok(stage.store.user(id)).await, None);
    let account = found(stage.store.account("ada@example.com".into())).await;
    assert_eq!(account.user, first);
}

async fn who_is_not_known_is_not_found(stage: Stage) {
    stage.account("Ada").await;
    let nobody = "nobody@example.com".to_owned();
    assert_eq!(ok(stage.store.user(stage.id())).await, None);
    assert_eq!(ok(stage.store.user_by_email(nobody.clone())).await, None);
    assert!(ok(stage.store.account(nobody)).await.is_none());
    let patch = UserPatch::default();
    let answer = stage.store.update_user(stage.id(), patch, stage.now());
    assert_eq!(ok(answer).await, None);
}

async fn emails_that_only_look_alike_are_different(stage: Stage) {
    let mut account = stage.new_account("Ada");
    account.email = "strasse@example.com".into();
    ok(stage.store.register(account)).await;
    for other in ["stra\u{df}e@example.com", "str\u{ad}asse@example.com"] {
        assert!(ok(stage.store.account(other.into())).await.is_none());
        assert_eq!(ok(stage.store.user_by_email(other.into())).await, None);
    }
}

async fn a_hash_is_replaced_only_where_it_is_still_the_old_one(stage: Stage) {
    let ada = stage.account("Ada").await;
    let bob = stage.account("Bob").await;
    let replace = |user, old: &str, new: &str| {
        let answer = stage.store.replace_hash(user, old.into(), new.into());
        ok(answer)
    };
    let hash_of = async |email: &str| {
        let account = found(stage.store.account(email.into())).await;
        account.password_hash
    };
    assert!(!replace(ada.id, "hash of Bob", "new").await);
    assert!(!replace(stage.id(), "hash of Ada", "new").await);
    assert_eq!(hash_of("ada@example.com").await, "hash of Ada");
    assert!(replace(ada.id, "hash of Ada", "new").await);
    assert_eq!(hash_of("ada@example.com").await, "new");
    assert!(!replace(ada.id, "hash of Ada", "newer").await);
    assert_eq!(hash_of("ada@example.com").await, "new");
    assert_eq!(hash_of("bob@example.com").await, "hash of Bob");
    assert_eq!(found(stage.store.user(ada.id)).await, ada);
    assert_eq!(found(stage.store.user(bob.id)).await, bob);
}

async fn a_user_changes_its_name_and_avatar(stage: Stage) {
    let user = stage.account("Ada").await;
    let patch = |name: Option<&str>, avatar: Option<Option<&str>>| UserPatch {
        name: name.map(str::to_owned),
        avatar: avatar.map(|avatar| avatar.map(str::to_owned)),
    };
    let update = |patch| found(stage.store.update_user(user.id, patch, stage.now()));
    let named = update(patch(Some("Ada L."), Some(Some("https://a.example/a.png")))).await;
    assert_eq!(named.name, "Ada L.");
    assert_eq!(named.avatar.as_deref(), Some("https://a.example/a.png"));
    assert_eq!(named.email, user.email);
    assert_eq!(update(patch(None, None)).await, named);
    let bare = update(patch(None, Some(None))).await;
    assert_eq!((bare.name.as_str(), bare.avatar.as_ref()), ("Ada L.", None));
    assert_eq!(found(stage.store.user(user.id)).await, bare);
    let account = found(stage.store.account("ada@example.com".into())).await;
    assert_eq!(account.user, bare);
}
