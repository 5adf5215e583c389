//! Users known from a token's claims: shown like others, but they own no email.

use collabflow_protocol::model::{Extra, User, UserPatch};

use super::stage::{Stage, found, ok};

super::cases![
    who_came_with_a_token_is_known,
    claims_are_brought_up_to_date,
    claims_that_are_missing_take_nothing_away,
    claims_leave_an_account_alone,
    claims_leave_alone_what_the_user_said_of_itself,
    claims_own_no_email,
];

fn claims(stage: &Stage, name: &str, email: &str) -> User {
    User {
        id: stage.id(),
        name: name.to_owned(),
        email: Some(email.to_owned()),
        avatar: None,
        extra: Extra::default(),
    }
}

async fn who_came_with_a_token_is_known(stage: Stage) {
    let user = claims(&stage, "Ada", "Ada@Example.com");
    ok(stage.store.remember(user.clone())).await;
    ok(stage.store.remember(user.clone())).await;
    assert_eq!(found(stage.store.user(user.id)).await, user);
    let by_email = stage.store.user_by_email("ada@example.com".into());
    assert_eq!(found(by_email).await, user);
    let account = stage.store.account("ada@example.com".into());
    assert!(ok(account).await.is_none());
    let nameless = User {
        email: None,
        ..claims(&stage, "", "")
    };
    ok(stage.store.remember(nameless.clone())).await;
    assert_eq!(found(stage.store.user(nameless.id)).await, nameless);
}

async fn claims_are_brought_up_to_date(stage: Stage) {
    let old = claims(&stage, "Ada", "ada@example.com");
    ok(stage.store.remember(old.clone())).await;
    let new = User {
        id: old.id,
        ..claims(&stage, "Ada L.", "ada.l@example.com")
    };
    ok(stage.store.remember(new.clone())).await;
    assert_eq!(found(stage.store.user(old.id)).await, new);
    let by_old_email = stage.store.user_by_email("ada@example.com".into());
    assert_eq!(ok(by_old_email).await, None);
    let by_new_email = stage.store.user_by_email("ada.l@example.com".into());
    assert_eq!(found(by_new_email).await, new);
}

async fn claims_that_are_missing_take_nothing_away(stage: Stage) {
    let user = claims(&stage, "Ada", "ada@example.com");
    ok(stage.store.remember(user.clone())).await;
    let bare = User {
        name: String::new(),
        email: None,
        ..user.clone()
    };
    ok(stage.store.remember(bare)).await;
    assert_eq!(found(stage.store.user(user.id)).await, user);
}

async fn claims_leave_an_account_alone(stage: Stage) {
    let user = stage.account("Ada").await;
    let claims = User {
        id: user.id,
        ..claims(&stage, "Eve", "eve@example.com")
    };
    ok(stage.store.remember(claims)).await;
    assert_eq!(found(stage.store.user(user.id)).await, user);
}

async fn claims_leave_alone_what_the_user_said_of_itself(stage: Stage) {
    let user = claims(&stage, "Ada", "ada@example.com");
    ok(stage.store.remember(user.clone())).await;
    let update = |patch| found(stage.store.update_user(user.id, patch, stage.now()));
    update(UserPatch {
        name: Some("Countess".into()),
        avatar: None,
    })
    .await;
    let own = update(UserPatch {
        name: None,
        avatar: Some(Some("https://a.example/a.png".into())),
    })
    .await;
    let later = User {
        email: Some("ada.l@example.com".into()),
        ..user.clone()
    };
    ok(stage.store.remember(later.clone())).await;
    let expected = User {
        email: later.email,
        ..own
    };
    assert_eq!(found(stage.store.user(user.id)).await, expected);
}

async fn claims_own_no_email(stage: Stage) {
    let claimed = claims(&stage, "Eve", "ada@example.com");
    ok(stage.store.remember(claimed.clone())).await;
    let owner = stage.account("Ada").await;
    assert_ne!(owner.id, claimed.id);
    let latecomer = claims(&stage, "Mallory", "ada@example.com");
    ok(stage.store.remember(latecomer.clone())).await;
    let by_email = stage.store.user_by_email("ada@example.com".into());
    assert_eq!(found(by_email).await, owner);
    let account = found(stage.store.account("ada@example.com".into())).await;
    assert_eq!(account.user, owner);
    assert_eq!(found(stage.store.user(claimed.id)).await, claimed);
    assert_eq!(found(stage.store.user(latecomer.id)).await, latecomer);
}
