//! Users who get another name while they have sessions.

use super::*;
use crate::room::fixture::user;

#[tokio::test]
async fn all_sessions_of_a_user_have_its_new_name_also_those_that_are_away() {
    let stage = Stage {
        asks_recovery: false,
        ..Stage::set().await
    };
    let (live, gone) = (stage.connect(None).await, stage.connect(None).await);
    for line in [&live, &gone] {
        line.join(stage.project).await;
    }
    gone.session.end(Ended::Dropped);
    let is_away = async {
        while !gone.session.entry.is_away() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, is_away).await.expect("it is away");
    let stranger = Stage {
        node: stage.node.clone(),
        store: Arc::clone(&stage.store),
        user: user(2),
        ..stage
    };
    let strangers = stranger.connect(None).await;

    let renamed = UserBrief {
        name: "Renamed".into(),
        ..(*user(1)).clone()
    };
    stage.node.user_changed(renamed.clone());
    for line in [&live, &gone] {
        assert_eq!(*line.session.entry.user(), renamed);
    }
    assert_eq!(strangers.session.entry.user(), user(2));

    // It is in the room already: the answer is who is present.
    let heard = live.join(stage.project).await;
    let answer = heard.iter().find(|text| text.starts_with("431["));
    let answer = answer.expect("an answer");
    assert!(
        answer.contains("Renamed") && !answer.contains("User 1"),
        "{answer}"
    );
    stage.node.stop().await;
}
