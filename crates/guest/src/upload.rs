//! Status and log on their way to their blobs.

use std::collections::BTreeMap;

use crate::net::{BLOB_TIMEOUT, Client, Request, Response, Sas, TransportError};

/// Page blobs are written in pages of this size.
const PAGE: usize = 512;

/// Largest piece of one write.
const PIECE: usize = 4 << 20;

/// Largest text, unless the blob is larger already. The end of a longer one is kept.
const TEXT_MAX: usize = 10 << 20;

/// How often each step is tried.
const TRIES: usize = 3;

/// Why a text is not in its blob.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// No answer.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// An answer that is no success.
    #[error("{host}: {step} was answered with {status}")]
    Refused {
        /// The peer.
        host: String,
        /// What was asked for.
        step: &'static str,
        /// The answer.
        status: u16,
    },
    /// The blob holds something that this run did not write.
    #[error("{host}: the blob is not empty")]
    NotEmpty {
        /// The peer.
        host: String,
    },
}

/// Writes texts into blobs. Remembers which blobs were empty when it met them.
pub struct Uploader {
    client: Client,
    writable: BTreeMap<String, bool>,
}

impl Uploader {
    /// An uploader.
    #[must_use]
    pub fn new(client: Client) -> Uploader {
        Uploader { client, writable: BTreeMap::new() }
    }

    /// Writes a text into a blob that exists, in place of what this run wrote before. `own` is a text that only an
    /// earlier report of the same task contains: such a blob may be overwritten although it is not empty.
    ///
    /// # Errors
    /// After three tries of each step.
    pub fn write(&mut self, to: &Sas, text: &str, own: Option<&str>) -> Result<(), UploadError> {
        let key = to.public();
        let writable = match self.writable.get(&key) {
            Some(known) => *known,
            None => {
                let writable = self.first_touch(to, own);
                self.writable.insert(key, writable);
                writable
            }
        };
        let found = self.tried(to, "reading the blob", |uploader| {
            uploader.call(to, &Request::new("GET", to.target("")), TEXT_MAX)
        })?;
        if found.header("x-ms-blob-type").unwrap_or("PageBlob").eq_ignore_ascii_case("BlockBlob") {
            if !writable {
                return Err(UploadError::NotEmpty { host: to.host().to_owned() });
            }
            return self.write_block_blob(to, text);
        }
        let length = found.header("Content-Length").and_then(|text| text.trim().parse().ok());
        self.write_page_blob(to, text, length.unwrap_or(0))
    }

    /// Whether a blob is empty, or holds our own.
    fn first_touch(&self, to: &Sas, own: Option<&str>) -> bool {
        match self.call(to, &Request::new("GET", to.target("")), TEXT_MAX) {
            Ok(found) if found.status == 200 => {
                let text = found.text();
                text.is_empty() || own.is_some_and(|own| text.contains(own))
            }
            _ => true,
        }
    }

    fn write_block_blob(&self, to: &Sas, text: &str) -> Result<(), UploadError> {
        let request =
            Request::new("PUT", to.target("")).body(text).header("x-ms-blob-type", "BlockBlob");
        self.tried(to, "writing the blob", |uploader| uploader.call(to, &request, 4096)).map(drop)
    }

    fn write_page_blob(&self, to: &Sas, text: &str, length: usize) -> Result<(), UploadError> {
        let mut bytes = text.as_bytes();
        let limit = TEXT_MAX.max(length);
        if bytes.len() > limit {
            bytes = &bytes[bytes.len() - limit..];
        }
        let mut pages = bytes.to_vec();
        pages.resize(bytes.len().div_ceil(PAGE) * PAGE, b' ');
        if length > 0 {
            let range = format!("bytes=0-{}", length - 1);
            let clear = Request::new("PUT", to.target("&comp=page"))
                .body("")
                .header("x-ms-page-write", "clear")
                .header("x-ms-range", &range);
            self.tried(to, "clearing the blob", |uploader| uploader.call(to, &clear, 4096))?;
        }
        if pages.len() > length {
            let size = pages.len().to_string();
            let resize = Request::new("PUT", to.target("&comp=properties"))
                .body("")
                .header("x-ms-blob-content-length", &size);
            self.tried(to, "resizing the blob", |uploader| uploader.call(to, &resize, 4096))?;
        }
        for (index, piece) in pages.chunks(PIECE).enumerate() {
            let first = index * PIECE;
            let range = format!("bytes={first}-{}", first + piece.len() - 1);
            let update = Request::new("PUT", to.target("&comp=page"))
                .body(piece)
                .header("x-ms-page-write", "update")
                .header("x-ms-range", &range);
            self.tried(to, "writing the blob", |uploader| uploader.call(to, &update, 4096))?;
        }
        Ok(())
    }

    fn call(&self, to: &Sas, request: &Request, limit: usize) -> Result<Response, TransportError> {
        self.client.secure(to.host(), BLOB_TIMEOUT)?.call(request, BLOB_TIMEOUT, limit)
    }

    fn tried(
        &self,
        to: &Sas,
        step: &'static str,
        call: impl Fn(&Uploader) -> Result<Response, TransportError>,
    ) -> Result<Response, UploadError> {
        let mut last = None;
        for _ in 0..TRIES {
            match call(self) {
                Ok(response) if response.is_ok() => return Ok(response),
                Ok(response) => {
                    let (host, status) = (to.host().to_owned(), response.status);
                    last = Some(UploadError::Refused { host, step, status });
                }
                Err(error) => last = Some(error.into()),
            }
        }
        Err(last.expect("tried at least once"))
    }
}
