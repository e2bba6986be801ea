//! Somebody with a browser: keeps cookies, sends forms with their token, reads pages.

#![allow(dead_code, clippy::unwrap_used, missing_docs, unreachable_pub)]

use std::collections::BTreeMap;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::header::{CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use tower::ServiceExt;

use super::{CLIENT_ID, SECRET, World};

pub struct Browser {
    router: Router,
    pub cookies: BTreeMap<String, String>,
    pub language: &'static str,
}

pub struct Page {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

impl Page {
    pub fn location(&self) -> &str {
        self.headers[LOCATION].to_str().unwrap()
    }

    #[track_caller]
    pub fn has(&self, text: &str) -> &Self {
        assert!(self.body.contains(text), "no {text:?} in:\n{}", self.body);
        self
    }

    #[track_caller]
    pub fn lacks(&self, text: &str) -> &Self {
        assert!(!self.body.contains(text), "{text:?} in:\n{}", self.body);
        self
    }

    #[track_caller]
    pub fn is(&self, status: u16) -> &Self {
        assert_eq!(self.status.as_u16(), status, "{:?}\n{}", self.headers, self.body);
        self
    }
}

impl Browser {
    pub fn open(world: &World) -> Self {
        Self::with(world.state())
    }

    pub fn with(state: coffre_portal::PortalState) -> Self {
        let router = coffre_portal::router(state);
        Self { router, cookies: BTreeMap::new(), language: "en" }
    }

    /// A browser in which an owner is signed in.
    pub async fn signed_in(world: &World) -> Self {
        let mut browser = Self::open(world);
        browser.sign_in(CLIENT_ID).await.is(303);
        browser
    }

    pub async fn sign_in(&mut self, name: &str) -> Page {
        self.get("/portal/sign-in").await.is(200);
        self.post("/portal/sign-in", &[("name", name), ("secret", SECRET)]).await
    }

    pub fn csrf(&self) -> String {
        self.cookies.get("__Host-coffre-csrf").cloned().unwrap_or_default()
    }

    pub async fn get(&mut self, address: &str) -> Page {
        self.send(self.request(Method::GET, address).body(Body::empty()).unwrap()).await
    }

    /// Sends a form as its page would.
    pub async fn post(&mut self, address: &str, fields: &[(&str, &str)]) -> Page {
        let csrf = self.csrf();
        let mut fields = fields.to_vec();
        fields.push(("csrf", &csrf));
        self.post_bare(address, &fields).await
    }

    /// Sends a form as it is.
    pub async fn post_bare(&mut self, address: &str, fields: &[(&str, &str)]) -> Page {
        let request = self
            .request(Method::POST, address)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(encode(fields)))
            .unwrap();
        self.send(request).await
    }

    pub fn request(&self, method: Method, address: &str) -> axum::http::request::Builder {
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut request = Request::builder()
            .method(method)
            .uri(address)
            .header("host", "coffre.test:8443")
            .header("accept-language", self.language);
        if !cookies.is_empty() {
            request = request.header(COOKIE, cookies.join("; "));
        }
        request
    }

    /// The answer with its body still to come.
    pub async fn open_stream(&self, address: &str) -> axum::response::Response {
        let request = self.request(Method::GET, address).body(Body::empty()).unwrap();
        self.router.clone().oneshot(request).await.unwrap()
    }

    pub async fn send(&mut self, request: Request<Body>) -> Page {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        for cookie in parts.headers.get_all(SET_COOKIE) {
            let cookie = cookie.to_str().unwrap();
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            if cookie.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        let bytes = to_bytes(body, 4 << 20).await.unwrap();
        Page {
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8(bytes.to_vec()).unwrap(),
        }
    }
}

fn encode(fields: &[(&str, &str)]) -> String {
    let word = |text: &str| -> String {
        text.bytes()
            .map(|byte| match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => {
                    char::from(byte).to_string()
                }
                byte => format!("%{byte:02X}"),
            })
            .collect()
    };
    let pairs: Vec<String> =
        fields.iter().map(|(name, value)| format!("{}={}", word(name), word(value))).collect();
    pairs.join("&")
}
