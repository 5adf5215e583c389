use std::time::Instant;

use argon2::Params;

use super::*;

const SCHEMES: [Scheme; 2] = [Scheme::Argon2id, Scheme::Bcrypt];

#[tokio::test]
async fn a_password_is_known_by_its_hash_alone() {
    for (scheme, start) in SCHEMES.into_iter().zip(["$argon2id$v=19$", "$2b$10$"]) {
        let passwords = Passwords::new(scheme);
        let hash = passwords
            .hash("correct horse".into())
            .await
            .expect("a place");
        assert!(hash.starts_with(start), "{hash}");
        for (password, is_right) in [("correct horse", true), ("correct house", false)] {
            let answer = passwords.verify(password.into(), Some(hash.clone())).await;
            assert_eq!(answer, Ok(is_right), "{password} by {scheme:?}");
        }
    }
}

#[test]
fn two_hashes_of_one_password_differ() {
    for scheme in SCHEMES {
        assert_ne!(scheme.hash("correct horse"), scheme.hash("correct horse"));
    }
}

/// The Node backend stored these; `$2a$`, `$2b$` and `$2y$` are one algorithm.
#[test]
fn hashes_of_bcrypt_are_accepted() {
    let hash = bcrypt::hash("correct horse", 4).expect("a hash");
    for prefix in ["$2a$", "$2b$", "$2y$"] {
        let hash = hash.replacen("$2b$", prefix, 1);
        assert_eq!(verify("correct horse", &hash), Some(true), "{hash}");
        assert_eq!(verify("correct house", &hash), Some(false), "{hash}");
    }
}

/// By npm's bcryptjs 3.0.3. With the same salt there is one hash of a password: what it makes we accept, and the other
/// way round.
#[test]
fn long_and_odd_passwords_have_the_hash_that_node_gives_them() {
    let long = format!("{}12345678", "0123456789".repeat(12));
    let a71 = format!("{}a", &long[..70]);
    for (password, hash) in [
        (
            &*a71,
            "$2b$04$DnArj4VLCpBJ9bUs1m6m1OdCuHxvRRpjKLjDemLegwibQa6wU3sVq",
        ),
        (
            &*format!("{a71}b"),
            "$2b$04$dfqSjthVRTSJmT3cD0VSP.OhA0JxbxIZp1sD5Z46I.sBrrKlmmwnK",
        ),
        (
            &*long,
            "$2b$04$907e/m8qNcS8thY./EsNEOXnJDxkImim13bINaongdtpsgltL9q3.",
        ),
        (
            &*"é".repeat(128),
            "$2b$04$UgHkBcxxcx7ZFdKuZzdVH.j5z4GeNplWYetJXO9bRU8VMMcFJxMe.",
        ),
        (
            "correct\0horse",
            "$2b$04$u7rR3a50zejjBxMtbVEbY.m6BhMkpMrYSYgbVZxVDpgJQsFmc1d2a",
        ),
    ] {
        assert_eq!(verify(password, hash), Some(true), "{password:?}");
    }
    let with_nul = "$2b$04$u7rR3a50zejjBxMtbVEbY.m6BhMkpMrYSYgbVZxVDpgJQsFmc1d2a";
    assert_eq!(verify("correct", with_nul), Some(false));
}

#[test]
fn every_password_that_is_allowed_can_be_hashed() {
    for scheme in SCHEMES {
        for password in ["🐎".repeat(128), "correct\0horse".into()] {
            let hash = scheme.hash(&password);
            assert_eq!(verify(&password, &hash), Some(true), "{password:?}");
            assert_eq!(verify("🐎", &hash), Some(false), "{password:?}");
        }
    }
}

#[tokio::test]
async fn without_a_hash_no_password_is_right() {
    for scheme in SCHEMES {
        let passwords = Passwords::new(scheme);
        for hash in [None, Some("no hash at all"), Some("$2b$short"), Some("")] {
            let answer = passwords.verify(String::new(), hash.map(Into::into)).await;
            assert_eq!(answer, Ok(false), "{hash:?}");
        }
    }
}

#[tokio::test]
async fn a_hash_of_an_absurd_cost_is_not_tried() {
    let hash = |cost: u32| Scheme::Bcrypt.nobody().replacen("10", &cost.to_string(), 1);
    assert!(!is_too_costly(&hash(BCRYPT_COST)) && !is_too_costly(&hash(16)));
    for cost in [17, 31] {
        assert!(is_too_costly(&hash(cost)), "{cost}");
        assert_eq!(verify("x", &hash(cost)), None, "{cost}");
    }
    let passwords = Passwords::new(Scheme::Bcrypt);
    let answer = passwords.verify("x".into(), Some(hash(31))).await;
    assert_eq!(answer, Ok(false));
}

/// Else the time of a login would tell whether the email has an account.
#[test]
fn the_hash_of_nobody_costs_what_ours_cost() {
    let nobody = PasswordHash::new(Scheme::Argon2id.nobody()).expect("a PHC string");
    let ours = Scheme::Argon2id.hash("x");
    let ours = PasswordHash::new(&ours).expect("a PHC string");
    let cost = |hash: &PasswordHash| {
        let params = Params::try_from(hash).expect("argon2's parameters");
        (params.m_cost(), params.t_cost(), params.p_cost())
    };
    assert_eq!(nobody.algorithm, ours.algorithm);
    assert_eq!(nobody.version, ours.version);
    assert_eq!(cost(&nobody), cost(&ours));

    let cost = |hash: &str| {
        let parts = hash.parse::<bcrypt::HashParts>();
        parts.expect("a bcrypt hash").get_cost()
    };
    assert_eq!(
        cost(Scheme::Bcrypt.nobody()),
        cost(&Scheme::Bcrypt.hash("x"))
    );
}

/// The least of three is compared, as other work can only make them longer.
#[tokio::test]
async fn to_refuse_takes_as_long_whatever_hash_there_is() {
    for scheme in SCHEMES {
        let passwords = Passwords::new(scheme);
        let least = async |hash: Option<&str>| {
            let mut least = Duration::MAX;
            for _ in 0..3 {
                let start = Instant::now();
                let answer = passwords.verify("x".into(), hash.map(Into::into)).await;
                assert_eq!(answer, Ok(false));
                least = least.min(start.elapsed());
            }
            least
        };
        let usual = least(Some(&scheme.hash("y"))).await;
        for hash in [None, Some("no hash at all"), Some("$2b$short")] {
            let time = least(hash).await;
            assert!(time * 4 > usual, "{time:?}, not {usual:?} for {hash:?}");
        }
    }
}

/// It is read to its end, and refused by the work alone.
#[test]
fn the_hash_of_nobody_can_be_read() {
    for scheme in SCHEMES {
        assert_eq!(verify("x", scheme.nobody()), Some(false), "{scheme:?}");
    }
}

#[test]
fn a_hash_gives_way_where_it_is_bcrypt_and_saw_the_whole_password() {
    let bcrypt = Scheme::Bcrypt.nobody();
    assert!(is_upgradable("correct horse", bcrypt));
    assert!(is_upgradable(&"x".repeat(72), bcrypt));
    assert!(!is_upgradable(&"x".repeat(73), bcrypt));
    assert!(!is_upgradable("correct horse", Scheme::Argon2id.nobody()));
}

#[tokio::test(start_paused = true)]
async fn who_finds_no_place_is_told_to_come_back() {
    let passwords = Passwords {
        scheme: Scheme::Argon2id,
        places: Arc::new(Semaphore::new(0)),
    };
    assert_eq!(passwords.hash("x".into()).await, Err(Busy));
}
