//! What is remembered of changes is bounded.

use super::*;
use crate::room::fixture::{task, user};

#[tokio::test]
async fn large_tasks_are_forgotten_sooner() {
    let (now, mut told) = (Instant::now(), Told::default());
    let large = Task {
        description: Some("x".repeat(80_000)),
        ..task(1, "large")
    };
    for second in 0..1_000 {
        told.record(Change {
            at: now + Duration::from_secs(second),
            author: user(1),
            by_rest: false,
            kind: Kind::Updated(Vec::new()),
            from: large.status.clone(),
            fields: vec![TaskField::Description],
            task: Arc::new(large.clone()),
            index: None,
            left_out: Vec::new(),
            is_in_flight: false,
            told_at: None,
        });
    }
    assert!(told.bytes <= BYTES_MAX);
    assert_eq!(told.order.len(), BYTES_MAX / text_len(&large));
    assert!(told.latest(large.id).is_some());
    told.prune(now + Duration::from_secs(1_000) + KEPT_FOR);
    assert_eq!(told.bytes, 0);
    assert!(told.tasks.is_empty());
}
