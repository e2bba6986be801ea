//! Requests and responses as bytes.

use std::io::{self, Read};

/// Larger heads are refused.
pub const HEADERS_MAX: usize = 64 << 10;

/// More headers are refused.
const HEADER_COUNT: usize = 100;

/// A request. Headers travel in the order and in the case given.
#[derive(Debug, Clone)]
pub struct Request {
    method: &'static str,
    target: String,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
}

impl Request {
    /// A request without a body.
    #[must_use]
    pub fn new(method: &'static str, target: String) -> Request {
        Request { method, target, headers: Vec::new(), body: None }
    }

    /// With a body, which may be empty.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Request {
        self.body = Some(body.into());
        self
    }

    /// With a header. A name or value that could break out of its line is left away.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Request {
        let name_fits = !name.is_empty()
            && name.bytes().all(|b| b.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?={}".contains(&b));
        let value_fits = value.chars().all(|c| c == '\t' || !c.is_control());
        if name_fits && value_fits {
            self.headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    /// The bytes of it, for a host.
    #[must_use]
    pub fn bytes(&self, host: &str) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        let mut line = |name: &str, value: &str| {
            head.push_str(&format!("{name}: {value}\r\n"));
        };
        line("Host", host);
        line("Accept-Encoding", "identity");
        if let Some(body) = &self.body {
            line("Content-Length", &body.len().to_string());
        }
        for (name, value) in &self.headers {
            line(name, value);
        }
        line("User-Agent", concat!("coffre-guest/", env!("CARGO_PKG_VERSION")));
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(self.body.as_deref().unwrap_or_default());
        bytes
    }
}

/// A response.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Response {
    /// Status code.
    pub status: u16,
    /// Names and values, as they came.
    pub headers: Vec<(String, String)>,
    /// The body, or its beginning when it was longer than the limit.
    pub body: Vec<u8>,
}

impl Response {
    /// The value of a header, whatever the case of its name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// Whether the status is 200 or 201.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.status == 200 || self.status == 201
    }

    /// The body as text; bytes that are none are replaced. A mark of byte order at its beginning is dropped.
    #[must_use]
    pub fn text(&self) -> String {
        let text = String::from_utf8_lossy(&self.body);
        text.strip_prefix('\u{feff}').unwrap_or(&text).to_owned()
    }
}

/// Reads one response; of its body at most `limit` bytes.
///
/// # Errors
/// When the stream fails or is no HTTP.
pub fn read_response(stream: &mut impl Read, limit: usize) -> io::Result<Response> {
    let mut buffer = Vec::new();
    loop {
        let (mut response, used) = read_head(stream, &mut buffer)?;
        buffer.drain(..used);
        // Interim answers carry no body.
        if (100..200).contains(&response.status) {
            continue;
        }
        let length = response.header("Content-Length").and_then(|text| text.trim().parse().ok());
        let chunked = response
            .header("Transfer-Encoding")
            .is_some_and(|value| value.to_ascii_lowercase().contains("chunked"));
        let rest = &mut io::Read::chain(io::Cursor::new(std::mem::take(&mut buffer)), stream);
        if response.status == 204 || response.status == 304 {
            return Ok(response);
        }
        response.body = match (chunked, length) {
            (true, _) => read_chunks(rest, limit)?,
            (false, Some(length)) => read_exactly(rest, length, limit)?,
            (false, None) => read_to_end(rest, limit)?,
        };
        return Ok(response);
    }
}

fn wrong(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

pub(super) fn read_head(
    stream: &mut impl Read,
    buffer: &mut Vec<u8>,
) -> io::Result<(Response, usize)> {
    let mut piece = [0; 4096];
    loop {
        let mut headers = [httparse::EMPTY_HEADER; HEADER_COUNT];
        let mut head = httparse::Response::new(&mut headers);
        let parsed = head.parse(buffer).map_err(|_| wrong("the answer is no HTTP"))?;
        if let httparse::Status::Complete(used) = parsed {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let headers = head
                .headers
                .iter()
                .map(|header| (header.name.to_owned(), text(header.value)))
                .collect();
            let status = head.code.unwrap_or_default();
            return Ok((Response { status, headers, body: Vec::new() }, used));
        }
        if buffer.len() > HEADERS_MAX {
            return Err(wrong("the head of the answer is too large"));
        }
        let got = stream.read(&mut piece)?;
        if got == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        buffer.extend_from_slice(&piece[..got]);
    }
}

fn read_exactly(stream: &mut impl Read, length: u64, limit: usize) -> io::Result<Vec<u8>> {
    let wanted = length.min(limit as u64);
    let mut body = Vec::new();
    stream.take(wanted).read_to_end(&mut body)?;
    if (body.len() as u64) < wanted {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(body)
}

fn read_to_end(stream: &mut impl Read, limit: usize) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    match stream.take(limit as u64).read_to_end(&mut body) {
        // Peers close TLS without saying goodbye.
        Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => Err(error),
        _ => Ok(body),
    }
}

fn read_chunks(stream: &mut impl Read, limit: usize) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = read_line(stream)?;
        let digits = line.split(';').next().unwrap_or_default().trim();
        let size = u64::from_str_radix(digits, 16).map_err(|_| wrong("a chunk has no size"))?;
        let room = limit - body.len();
        if size == 0 || room == 0 {
            return Ok(body);
        }
        body.extend(read_exactly(stream, size, room)?);
        if size > room as u64 {
            return Ok(body);
        }
        read_line(stream)?;
    }
}

fn read_line(stream: &mut impl Read) -> io::Result<String> {
    const LENGTH_MAX: usize = 1024;
    let mut line = Vec::new();
    let mut byte = [0];
    loop {
        stream.read_exact(&mut byte)?;
        match byte[0] {
            b'\n' => return Ok(String::from_utf8_lossy(&line).into_owned()),
            b'\r' => {}
            other => line.push(other),
        }
        if line.len() > LENGTH_MAX {
            return Err(wrong("a line of a chunk is too long"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, limit: usize) -> io::Result<Response> {
        read_response(&mut text.as_bytes(), limit)
    }

    #[test]
    fn requests_keep_order_and_case() {
        let request = Request::new("PUT", "/a?b&comp=snapshot".to_owned())
            .body("")
            .header("x-ms-meta-Key", "v")
            .header("x-ms-meta-bad\r\nname", "v")
            .header("ok", "bad\r\nvalue");
        let text = String::from_utf8(request.bytes("h")).unwrap();
        let expected = "PUT /a?b&comp=snapshot HTTP/1.1\r\nHost: h\r\nAccept-Encoding: identity\r\nContent-Length: 0\r\nx-ms-meta-Key: v\r\nUser-Agent: coffre-guest/";
        assert!(text.starts_with(expected), "{text}");
        assert_eq!(text.matches("\r\n").count(), 7);
    }

    #[test]
    fn every_framing_is_understood_and_bounded() {
        let plain =
            read("HTTP/1.1 201 Created\r\nX-Ms-Snapshot: t\r\nContent-Length: 2\r\n\r\nabc", 9)
                .unwrap();
        assert_eq!((plain.header("x-ms-snapshot"), &*plain.body), (Some("t"), &b"ab"[..]));
        let chunked = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
        assert_eq!(read(chunked, 9).unwrap().body, b"abcde");
        assert_eq!(read(chunked, 4).unwrap().body, b"abcd");
        assert_eq!(read("HTTP/1.0 200 OK\r\n\r\nrest", 9).unwrap().text(), "rest");
        assert_eq!(read("HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\n", 9).unwrap().body, b"");
        for wrong in [
            "",
            "nonsense",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        ] {
            assert!(read(wrong, 9).is_err(), "{wrong}");
        }
        let long = format!("HTTP/1.1 200 OK\r\nA: {}\r\n\r\n", "a".repeat(HEADERS_MAX + 5000));
        assert!(read(&long, 9).is_err());
    }
}
