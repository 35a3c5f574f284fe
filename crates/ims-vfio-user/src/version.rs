// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Agreeing on a version and on capabilities ("VFIO_USER_VERSION").

use serde::{Deserialize, Serialize};

use crate::layout::Version;
use crate::limits::Limits;

/// The version spoken: the lower of this and the client's minor.
const MINOR: u16 = 1;

/// Maps announced at most, which is the specification's default: QEMU refuses a
/// server that announces more, and sends more all the same.
const ANNOUNCED_MAPS: u64 = 65535;

/// Page sizes a client may map in.
const PAGE: u64 = 4096;

/// What both sides have agreed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreed {
    /// Minor version.
    pub minor: u16,
    /// Descriptors the client takes in one message.
    pub msg_fds: u32,
    /// Bytes of data the client takes in one message.
    pub data_xfer_size: u32,
    /// The server's commands go by a socket of their own.
    pub twin_socket: bool,
    /// Several small writes may come in one message.
    pub write_multiple: bool,
}

/// Why a client cannot be served.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VersionError {
    /// It speaks another protocol.
    #[error("major version {0} is not spoken here; this is 0")]
    Major(u16),
    /// Its capabilities are no JSON text that ends in NUL, or not of the right types.
    #[error("capabilities cannot be read: {0}")]
    Capabilities(String),
}

/// The JSON text of either side.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Text {
    #[serde(default)]
    capabilities: Capabilities,
}

/// Every key may be left out; unknown ones are ignored.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Capabilities {
    #[serde(skip_serializing_if = "Option::is_none")]
    max_msg_fds: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_data_xfer_size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_dma_maps: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pgsizes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    twin_socket: Option<TwinSocket>,
    #[serde(skip_serializing_if = "Option::is_none")]
    write_multiple: Option<bool>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct TwinSocket {
    #[serde(default)]
    supported: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    fd_index: Option<u32>,
}

/// Agrees with a client that offers `version` and `text`.
///
/// # Errors
/// [`VersionError`]; the connection is of no use then.
pub fn agree(version: Version, text: &[u8], limits: &Limits) -> Result<Agreed, VersionError> {
    if version.major != 0 {
        return Err(VersionError::Major(version.major));
    }
    let offered = capabilities(text)?;
    let size = offered.max_data_xfer_size.unwrap_or(1 << 20);
    Ok(Agreed {
        minor: version.minor.min(MINOR),
        msg_fds: offered.max_msg_fds.unwrap_or(1),
        data_xfer_size: u32::try_from(size)
            .unwrap_or(u32::MAX)
            .min(limits.data_xfer_size)
            .max(1),
        twin_socket: offered.twin_socket.is_some_and(|twin| twin.supported),
        write_multiple: offered.write_multiple.unwrap_or(false),
    })
}

fn capabilities(text: &[u8]) -> Result<Capabilities, VersionError> {
    let text = match text.split_last() {
        None => return Ok(Capabilities::default()),
        Some((0, text)) => text,
        Some(_) => return Err(VersionError::Capabilities("no NUL at the end".to_owned())),
    };
    if text.is_empty() {
        return Ok(Capabilities::default());
    }
    serde_json::from_slice::<Text>(text)
        .map(|text| text.capabilities)
        .map_err(|error| VersionError::Capabilities(error.to_string()))
}

/// The server's side of the answer: JSON with NUL.
pub fn answer(agreed: &Agreed, limits: &Limits) -> Vec<u8> {
    let text = Text {
        capabilities: Capabilities {
            max_msg_fds: Some(limits.msg_fds),
            max_data_xfer_size: Some(limits.data_xfer_size.into()),
            max_dma_maps: u64::try_from(limits.dma_maps)
                .ok()
                .map(|maps| maps.min(ANNOUNCED_MAPS)),
            pgsizes: Some(PAGE),
            twin_socket: agreed.twin_socket.then_some(TwinSocket {
                supported: true,
                fd_index: Some(0),
            }),
            write_multiple: agreed.write_multiple.then_some(true),
        },
    };
    let mut bytes = serde_json::to_vec(&text).unwrap_or_default();
    bytes.push(0);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(minor: u16, text: &[u8]) -> Result<Agreed, VersionError> {
        agree(Version { major: 0, minor }, text, &Limits::default())
    }

    #[test]
    fn the_answer_is_what_the_client_offers_up_to_what_is_spoken() {
        assert_eq!(offer(0, b"").unwrap().minor, 0);
        assert_eq!(offer(1, b"").unwrap().minor, 1);
        assert_eq!(offer(7, b"").unwrap().minor, 1);
        let other = agree(Version { major: 1, minor: 0 }, b"", &Limits::default());
        assert_eq!(other, Err(VersionError::Major(1)));
    }

    #[test]
    fn what_is_left_out_has_the_specifications_default() {
        for text in [&b""[..], b"\0", b"{}\0", b"{\"capabilities\":{}}\0"] {
            let agreed = offer(0, text).unwrap();
            assert_eq!((agreed.msg_fds, agreed.data_xfer_size), (1, 1 << 20));
            assert!(!agreed.twin_socket && !agreed.write_multiple);
        }
    }

    #[test]
    fn capabilities_are_read_and_unknown_ones_ignored() {
        let text = br#"{"capabilities":{"max_msg_fds":8,"max_data_xfer_size":4096,
            "twin_socket":{"supported":true},"write_multiple":true,"migration":{"pgsize":4096}}}"#;
        let agreed = offer(0, &[&text[..], b"\0"].concat()).unwrap();
        assert_eq!((agreed.msg_fds, agreed.data_xfer_size), (8, 4096));
        assert!(agreed.twin_socket && agreed.write_multiple);
        let answer = answer(&agreed, &Limits::default());
        assert_eq!(answer.last(), Some(&0));
        let text = String::from_utf8(answer).unwrap();
        assert!(text.contains(r#""twin_socket":{"supported":true,"fd_index":0}"#));
        assert!(text.contains(r#""write_multiple":true"#));
    }

    #[test]
    fn text_that_is_not_json_or_has_no_end_is_refused() {
        for text in [
            &b"{}"[..],
            b"x\0",
            b"[1]\0",
            b"{\"capabilities\":3}\0",
            b"{\"capabilities\":{\"max_msg_fds\":-1}}\0",
            b"{\"capabilities\":{\"max_msg_fds\":\"many\"}}\0",
        ] {
            assert!(
                matches!(offer(0, text), Err(VersionError::Capabilities(_))),
                "{text:?}"
            );
        }
        let deep = [vec![b'['; 100_000], vec![0]].concat();
        assert!(offer(0, &deep).is_err());
    }
}
