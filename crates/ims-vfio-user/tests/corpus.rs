// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the fuzzer has found worth keeping, as a test: decoded, and sent to a server.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test"
)]

mod device;
mod peer;
#[path = "../fuzz/stream.rs"]
mod stream;

use std::path::Path;
use std::sync::Arc;

use device::TestDevice;
use ims_vfio_user::{Limits, Server};
use peer::{Peer, Place};

fn corpus() -> Vec<(String, Vec<u8>)> {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/decoder");
    let read = |entry: std::io::Result<std::fs::DirEntry>| {
        let path = entry.unwrap().path();
        (path.display().to_string(), std::fs::read(path).unwrap())
    };
    std::fs::read_dir(place).unwrap().map(read).collect()
}

#[test]
fn the_corpus_is_decoded_and_each_command_is_in_it() {
    let corpus = corpus();
    assert!(corpus.len() >= 30, "{}", corpus.len());
    let sound = corpus
        .iter()
        .filter(|(_, bytes)| stream::decode(bytes) > 0)
        .count();
    assert!(
        sound >= 15,
        "{sound} of {} have a sound message",
        corpus.len()
    );
}

#[test]
fn a_server_lives_through_the_corpus() {
    let place = Place::new("corpus");
    let server = Server::start(Limits::default()).unwrap();
    server
        .listen(&place.0, Arc::new(TestDevice::new()))
        .unwrap();
    for (name, bytes) in corpus() {
        for agreed in [true, false] {
            let mut peer = if agreed {
                Peer::agreed(&place.0)
            } else {
                Peer::connect(&place.0)
            };
            let _ = peer.try_raw(&bytes, &[]);
            let _ = peer.socket.shutdown(std::net::Shutdown::Write);
            assert!(peer.is_closed(), "{name}");
        }
    }
    assert!(Peer::agreed(&place.0).read_region(0, 0, 4).is_ok());
}
