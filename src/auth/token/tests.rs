use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::json;

use super::*;

const ID: &str = "64b7f3a2c9e77a0012345678";
const SECRET: &str = "dev-secret";

fn tokens(require_expiry: bool) -> Tokens {
    let rules = config::Auth {
        secret: None,
        registration: true,
        require_expiry,
        on_expiry: config::OnExpiry::Close,
        token_ttl: Duration::from_secs(60),
        upgrade_hashes: false,
    };
    Tokens::new(&Secret::new(SECRET), &rules)
}

fn signed(algorithm: Algorithm, secret: &str, claims: &Value) -> String {
    let key = EncodingKey::from_secret(secret.as_bytes());
    encode(&Header::new(algorithm), claims, &key).expect("a token")
}

fn verify(claims: &Value) -> Option<Claims> {
    tokens(false).verify(&signed(Algorithm::HS256, SECRET, claims))
}

fn in_seconds(seconds: i64) -> i64 {
    now().millis() / 1_000 + seconds
}

#[test]
fn a_user_id_is_enough() {
    let claims = verify(&json!({ "userId": ID })).expect("valid");
    assert_eq!(claims.user_id.to_string(), ID);
    assert_eq!(
        (
            claims.name.as_ref(),
            claims.email.as_ref(),
            claims.expires_at
        ),
        (None, None, None)
    );
    assert_eq!(User::from(claims).name, NAMELESS);
}

#[test]
fn name_and_email_are_taken_where_they_are_text() {
    let claims = verify(&json!({ "userId": ID, "name": " Ada ", "email": "ada@example.com" }))
        .expect("valid");
    let user = User::from(claims);
    assert_eq!(
        (user.name.as_str(), user.email.as_deref()),
        ("Ada", Some("ada@example.com"))
    );
    let claims =
        verify(&json!({ "userId": ID, "name": 7, "email": "ada@example.com" })).expect("valid");
    assert_eq!(User::from(claims).name, "ada");
}

#[test]
fn a_user_id_must_be_an_object_id() {
    for claims in [
        json!({}),
        json!({ "userId": "ada" }),
        json!({ "userId": 7 }),
        json!({ "userId": null }),
        json!({ "id": ID }),
    ] {
        assert_eq!(verify(&claims), None, "{claims}");
    }
}

#[test]
fn an_expiry_is_honoured_to_the_second() {
    assert_eq!(verify(&json!({ "userId": ID, "exp": in_seconds(0) })), None);
    assert_eq!(
        verify(&json!({ "userId": ID, "exp": in_seconds(-30) })),
        None
    );
    let end = in_seconds(30);
    let claims = verify(&json!({ "userId": ID, "exp": end })).expect("valid");
    assert_eq!(claims.expires_at.map(Timestamp::millis), Some(end * 1_000));
    assert!(verify(&json!({ "userId": ID, "exp": 1e300 })).is_some());
}

#[test]
fn a_start_is_honoured() {
    assert_eq!(
        verify(&json!({ "userId": ID, "nbf": in_seconds(30) })),
        None
    );
    assert!(verify(&json!({ "userId": ID, "nbf": in_seconds(0) })).is_some());
}

#[test]
fn times_that_are_no_numbers_are_refused() {
    for claims in [
        json!({ "userId": ID, "exp": "tomorrow" }),
        json!({ "userId": ID, "nbf": {} }),
    ] {
        assert_eq!(verify(&claims), None, "{claims}");
    }
}

#[test]
fn an_audience_is_passed_over() {
    assert!(verify(&json!({ "userId": ID, "aud": "somebody else" })).is_some());
    assert!(verify(&json!({ "userId": ID, "iss": "anybody", "sub": 7 })).is_some());
}

#[test]
fn an_expiry_can_be_required() {
    let strict = tokens(true);
    let endless = signed(Algorithm::HS256, SECRET, &json!({ "userId": ID }));
    let ending = signed(
        Algorithm::HS256,
        SECRET,
        &json!({ "userId": ID, "exp": in_seconds(30) }),
    );
    assert_eq!(strict.verify(&endless), None);
    assert!(strict.verify(&ending).is_some());
}

#[test]
fn only_hs256_with_our_secret_is_accepted() {
    let claims = json!({ "userId": ID });
    let tokens = tokens(false);
    for token in [
        signed(Algorithm::HS384, SECRET, &claims),
        signed(Algorithm::HS512, SECRET, &claims),
        signed(Algorithm::HS256, "another", &claims),
        "no token".into(),
        String::new(),
    ] {
        assert_eq!(tokens.verify(&token), None, "{token}");
    }
    let valid = signed(Algorithm::HS256, SECRET, &claims);
    let (head_and_body, _) = valid.rsplit_once('.').expect("three parts");
    let none = base64::Engine::encode(
        &base64::prelude::BASE64_URL_SAFE_NO_PAD,
        r#"{"alg":"none","typ":"JWT"}"#,
    );
    let body = head_and_body.split('.').nth(1).expect("three parts");
    assert_eq!(tokens.verify(&format!("{none}.{body}.")), None);
    assert_eq!(tokens.verify(&format!("{head_and_body}.")), None);
}

#[test]
fn a_token_of_ours_is_valid_and_ends() {
    let tokens = tokens(true);
    let user = User {
        id: ID.parse().expect("an id"),
        name: "Ada".into(),
        email: Some("ada@example.com".into()),
        avatar: None,
        extra: Extra::default(),
    };
    let claims = tokens.verify(&tokens.issue(&user)).expect("valid");
    let end = claims.expires_at.expect("an end").millis() / 1_000;
    assert!((in_seconds(58)..=in_seconds(60)).contains(&end));
    assert_eq!(User::from(claims), user);
}
