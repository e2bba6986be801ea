//! Shapes of what precedes a token, and of the token.

use serde_json::Value;

use super::shape::{Shapes, anything, exactly, list, object, open, url, whole, word};

pub(super) fn all() -> Shapes {
    let mut shapes = vec![
        ("CloudMetadata", super::of_resources::metadata()),
        ("ImageAliases", object([("outputs", anything())])),
        ("OpenIdConfiguration", configuration()),
        ("Keys", object([("keys", list(open([("kty", word())])))])),
        ("UserRealm", open([("account_type", word())])),
    ];
    shapes.extend([("Token", token()), ("DeviceCode", device_code())]);
    shapes
}

fn configuration() -> Value {
    open([
        ("issuer", url()),
        ("authorization_endpoint", url()),
        ("token_endpoint", url()),
        ("device_authorization_endpoint", url()),
        ("jwks_uri", url()),
    ])
}

fn token() -> Value {
    open([
        ("token_type", exactly("Bearer")),
        ("expires_in", whole()),
        ("access_token", word()),
        ("refresh_token?", word()),
        ("id_token?", word()),
        ("scope?", word()),
        ("client_info?", word()),
    ])
}

fn device_code() -> Value {
    object([
        ("user_code", word()),
        ("device_code", word()),
        ("verification_uri", url()),
        ("expires_in", whole()),
        ("interval", whole()),
        ("message", word()),
    ])
}
