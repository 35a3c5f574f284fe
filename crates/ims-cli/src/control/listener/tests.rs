// SPDX-License-Identifier: Apache-2.0 OR MIT

use std::io::{Read, Write};
use std::sync::mpsc;

use super::super::client::ask;
use super::super::error::ControlError;
use super::*;
use crate::scratch::Scratch;

/// Answers with what was asked, as far as an answer can hold it.
fn echo(request: Request) -> Answer {
    match request {
        Request::Destroy { name } => Answer::Destroyed { name, quiet: true },
        _ => Answer::Devices {
            devices: Vec::new(),
        },
    }
}

fn destroy(name: &str) -> Request {
    Request::Destroy {
        name: name.parse().unwrap(),
    }
}

/// Sends `bytes` and returns what is answered.
fn raw(path: &Path, bytes: &[u8]) -> String {
    let mut stream = UnixStream::connect(path).unwrap();
    // Of what is too long, the end may find nobody.
    let _ = stream.write_all(bytes);
    let mut answer = String::new();
    // Closed with something unread, the stream ends by a reset, after the answer.
    let _ = stream.read_to_string(&mut answer);
    answer
}

fn refusal(answer: &str) -> Refusal {
    match serde_json::from_str(answer) {
        Ok(Answer::Refused(refusal)) => refusal,
        other => panic!("{other:?} of {answer:?}"),
    }
}

#[test]
fn what_is_asked_is_answered_and_the_socket_is_the_owners() {
    let scratch = Scratch::new("asked");
    let path = scratch.join("control");
    let listener = Listener::start(&path, echo).unwrap();
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let answer = ask(&path, &destroy("a")).unwrap();
    assert!(matches!(answer, Answer::Destroyed { name, .. } if name.as_str() == "a"));
    drop(listener);
    assert!(!path.exists());
    let error = ask(&path, &Request::List).unwrap_err();
    assert!(matches!(error, ControlError::NoServer(_)), "{error}");
}

#[test]
fn a_second_listener_is_refused_and_a_stale_socket_is_replaced() {
    let scratch = Scratch::new("second");
    let path = scratch.join("control");
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists(), "a socket whose server died");
    let listener = Listener::start(&path, echo).unwrap();
    let error = Listener::start(&path, echo).unwrap_err().to_string();
    assert!(error.contains("is served by another process"), "{error}");
    ask(&path, &Request::List).unwrap();
    drop(listener);
}

#[test]
fn what_is_no_request_is_refused_with_the_reason() {
    let scratch = Scratch::new("malformed");
    let path = scratch.join("control");
    let _listener = Listener::start(&path, echo).unwrap();
    for line in [
        "\n",
        "{}\n",
        "[]\n",
        "\u{0}\n",
        "{\"request\":\"sudo\"}\n",
        "{\"request\":\"destroy\"}\n",
        "{\"request\":\"destroy\",\"name\":\"../a\"}\n",
        "{\"request\":\"create\",\"name\":\"a\",\"vectors\":-1}\n",
    ] {
        let refusal = refusal(&raw(&path, line.as_bytes()));
        assert_eq!(refusal.reason, Reason::Malformed, "{line:?}");
        let process = format!("process {}", std::process::id());
        assert!(refusal.message.contains(&process), "{}", refusal.message);
    }
    let deep = [b"[".repeat(LONGEST - 1).as_slice(), b"\n"].concat();
    assert_eq!(refusal(&raw(&path, &deep)).reason, Reason::Malformed);
    let long = vec![b'x'; LONGEST + 1];
    assert_eq!(refusal(&raw(&path, &long)).reason, Reason::TooLong);
    ask(&path, &Request::List).unwrap();
}

#[test]
fn a_client_that_says_nothing_holds_nobody_up_for_long() {
    let scratch = Scratch::new("silent");
    let path = scratch.join("control");
    let listener = Listener::start(&path, echo).unwrap();
    let _silent = UnixStream::connect(&path).unwrap();
    ask(&path, &Request::List).unwrap();
    // Nor does it keep the server from ending.
    let silent = UnixStream::connect(&path).unwrap();
    let (done, ended) = mpsc::channel();
    std::thread::spawn(move || {
        drop(listener);
        done.send(()).unwrap();
    });
    ended.recv_timeout(LIMIT * 10).unwrap();
    drop(silent);
}
