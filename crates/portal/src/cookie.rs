//! Cookies: reading those of a request, writing those of a response.

use axum::http::header::COOKIE;
use axum::http::{HeaderMap, HeaderValue};

/// How cookies are marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CookieScope {
    /// Sent over HTTPS only and bound to this host by the `__Host-` prefix.
    Https,
    /// For a portal that is served over plain HTTP, which only makes sense on a loopback address.
    PlainHttp,
}

impl CookieScope {
    /// The scope that fits the portal's address.
    pub fn of(public_url: &str) -> Self {
        if public_url.starts_with("http://") { Self::PlainHttp } else { Self::Https }
    }

    fn name(self, name: &str) -> String {
        match self {
            Self::Https => format!("__Host-coffre-{name}"),
            Self::PlainHttp => format!("coffre-{name}"),
        }
    }

    /// The value of one of our cookies in a request. Of two with one name neither counts: a second
    /// one was not set by us.
    pub fn read<'a>(self, headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
        let name = self.name(name);
        let mut values = headers
            .get_all(COOKIE)
            .iter()
            .filter_map(|header| header.to_str().ok())
            .flat_map(|header| header.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .filter(|(key, _)| *key == name)
            .map(|(_, value)| value);
        match (values.next(), values.next()) {
            (Some(value), None) => Some(value),
            _ => None,
        }
    }

    /// A cookie that browsers send too when another site leads back here, until they are closed.
    pub fn write_for_return(self, name: &str, value: &str) -> HeaderValue {
        let strict = self.write(name, value, None);
        let text = strict.to_str().expect("cookies are our own words");
        let lax = text.replace("SameSite=Strict", "SameSite=Lax");
        HeaderValue::try_from(lax).expect("names and values of cookies are our own words")
    }

    /// A `Set-Cookie` header. `value` is made of letters, digits and hyphens; no `max_age_secs`
    /// means until the browser closes, 0 removes the cookie.
    pub fn write(self, name: &str, value: &str, max_age_secs: Option<u64>) -> HeaderValue {
        let mut cookie = format!("{}={value}; Path=/; HttpOnly; SameSite=Strict", self.name(name));
        if self == Self::Https {
            cookie.push_str("; Secure");
        }
        if let Some(seconds) = max_age_secs {
            cookie.push_str(&format!("; Max-Age={seconds}"));
        }
        HeaderValue::try_from(cookie).expect("names and values of cookies are our own words")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(cookie: &str) -> HeaderMap {
        HeaderMap::from_iter([(COOKIE, HeaderValue::from_str(cookie).unwrap())])
    }

    #[test]
    fn cookies_are_read_by_their_whole_name() {
        let sent = headers("a=1; coffre-lang=es;__Host-coffre-lang=fr; xcoffre-lang=en");
        assert_eq!(CookieScope::Https.read(&sent, "lang"), Some("fr"));
        assert_eq!(CookieScope::PlainHttp.read(&sent, "lang"), Some("es"));
        assert_eq!(CookieScope::Https.read(&sent, "theme"), None);
    }

    #[test]
    fn a_cookie_sent_twice_does_not_count() {
        let sent = headers("__Host-coffre-csrf=a; __Host-coffre-csrf=b");
        assert_eq!(CookieScope::Https.read(&sent, "csrf"), None);
    }

    #[test]
    fn only_a_cookie_for_a_return_comes_along_from_another_site() {
        let header = CookieScope::Https.write_for_return("flow", "abc");
        assert_eq!(header, "__Host-coffre-flow=abc; Path=/; HttpOnly; SameSite=Lax; Secure");
    }

    #[test]
    fn cookies_are_kept_from_scripts_and_other_sites() {
        let header = CookieScope::Https.write("session", "abc", None);
        assert_eq!(header, "__Host-coffre-session=abc; Path=/; HttpOnly; SameSite=Strict; Secure");
    }
}
