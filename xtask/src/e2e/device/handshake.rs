// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Being a client of the protocol for as long as it takes to agree on a version.
//! Written for itself: a client that shared the server's code would also share
//! its mistakes.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// The header's length (vfio-user specification, "Header").
const HEADER: usize = 16;
/// The command VERSION.
const VERSION: u16 = 1;
/// The flags of a reply without an error.
const REPLY: u32 = 1;
/// The one this asks with.
const MESSAGE_ID: u16 = 0x494d;
/// More than any reply to VERSION has.
const LONGEST: u32 = 1 << 16;

/// Connects to `socket`, agrees on version 0.0, and leaves.
///
/// # Errors
/// What the system said, or [`io::ErrorKind::InvalidData`] if the answer is none.
pub(crate) fn with(socket: &Path, patience: Duration) -> io::Result<()> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))?;
    stream.write_all(&request())?;
    let mut header = [0; HEADER];
    stream.read_exact(&mut header)?;
    let length = body_length(&header).ok_or_else(|| {
        let text = format!("answered VERSION with the header {header:02x?}");
        io::Error::new(io::ErrorKind::InvalidData, text)
    })?;
    let mut body = Vec::new();
    stream.take(u64::from(length)).read_to_end(&mut body)?;
    let text = body.get(4..).and_then(|text| text.strip_suffix(&[0]));
    let agreed = body.starts_with(&[0; 4])
        && text.is_some_and(|text| {
            serde_json::from_slice::<serde_json::Value>(text).is_ok_and(|value| value.is_object())
        });
    if agreed {
        return Ok(());
    }
    let text = format!(
        "answered VERSION 0.0 with {:?}",
        String::from_utf8_lossy(&body)
    );
    Err(io::Error::new(io::ErrorKind::InvalidData, text))
}

fn request() -> Vec<u8> {
    let body = b"\0\0\0\0{\"capabilities\":{\"max_msg_fds\":1}}\0";
    let length = u32::try_from(HEADER + body.len()).unwrap_or(u32::MAX);
    let mut bytes = Vec::new();
    bytes.extend(MESSAGE_ID.to_le_bytes());
    bytes.extend(VERSION.to_le_bytes());
    bytes.extend(length.to_le_bytes());
    bytes.extend([0; 8]);
    bytes.extend(body);
    bytes
}

/// How many bytes follow, if this is a reply to our request, without an error.
fn body_length(header: &[u8; HEADER]) -> Option<u32> {
    let [i0, i1, c0, c1, l0, l1, l2, l3, f0, f1, f2, f3, ..] = *header;
    let ours = u16::from_le_bytes([i0, i1]) == MESSAGE_ID
        && u16::from_le_bytes([c0, c1]) == VERSION
        && u32::from_le_bytes([f0, f1, f2, f3]) == REPLY;
    let length = u32::from_le_bytes([l0, l1, l2, l3]);
    let body = length.checked_sub(u32::try_from(HEADER).ok()?)?;
    (ours && length <= LONGEST).then_some(body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    /// What [`with`] says of a server that answers `reply` to any request.
    fn answered(name: &str, reply: Vec<u8>) -> io::Result<()> {
        let path = std::env::temp_dir().join(format!("ims-hs-{name}-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(&path).unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = vec![0; super::request().len()];
            stream.read_exact(&mut request).unwrap();
            stream.write_all(&reply).unwrap();
            request
        });
        let result = with(&path, Duration::from_secs(5));
        assert_eq!(server.join().unwrap(), request());
        std::fs::remove_file(&path).unwrap();
        result
    }

    fn reply(flags: u32, body: &[u8]) -> Vec<u8> {
        let mut bytes = request()[..4].to_vec();
        bytes.extend(u32::try_from(HEADER + body.len()).unwrap().to_le_bytes());
        bytes.extend(flags.to_le_bytes());
        bytes.extend([0; 4]);
        bytes.extend(body);
        bytes
    }

    #[test]
    fn an_agreement_on_version_zero_is_one() {
        answered("good", reply(REPLY, b"\0\0\0\0{\"capabilities\":{}}\0")).unwrap();
    }

    #[test]
    fn any_other_answer_is_none() {
        let body = b"\0\0\0\0{}\0";
        assert!(answered("error", reply(0x21, body)).is_err());
        assert!(answered("command", reply(0, body)).is_err());
        assert!(answered("minor", reply(REPLY, b"\0\0\x01\0{}\0")).is_err());
        assert!(answered("text", reply(REPLY, b"\0\0\0\0{]\0")).is_err());
        assert!(answered("end", reply(REPLY, b"\0\0\0\0{}")).is_err());
        assert!(answered("short", reply(REPLY, b"")).is_err());
        assert!(answered("nothing", Vec::new()).is_err());
    }

    #[test]
    fn nobody_there_is_an_error() {
        assert!(with(Path::new("/no/such/socket"), Duration::from_secs(1)).is_err());
    }
}
