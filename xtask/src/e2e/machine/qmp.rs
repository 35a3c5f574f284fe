// SPDX-License-Identifier: Apache-2.0 OR MIT
//! QEMU's own control channel (QEMU Machine Protocol): JSON, a line each way.

use crate::failure::Failure;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// How long QEMU may take to answer a command.
const PATIENCE: Duration = Duration::from_secs(20);

/// A connection whose capabilities are negotiated.
#[derive(Debug)]
pub(crate) struct Qmp {
    stream: BufReader<UnixStream>,
}

impl Qmp {
    /// Connects, which QEMU admits once at a time.
    ///
    /// # Errors
    /// [`Failure::Form`] if what answers does not speak the protocol.
    pub(crate) fn connect(socket: &Path) -> Result<Self, Failure> {
        let stream = UnixStream::connect(socket).map_err(Failure::file(socket))?;
        Self::greet(stream)
    }

    fn greet(stream: UnixStream) -> Result<Self, Failure> {
        stream
            .set_read_timeout(Some(PATIENCE))
            .map_err(Failure::file("QMP"))?;
        let mut qmp = Self {
            stream: BufReader::new(stream),
        };
        let greeting = qmp.read()?;
        if greeting.get("QMP").is_none() {
            return Err(wrong(format!("greeted with {greeting}")));
        }
        qmp.execute("qmp_capabilities")?;
        Ok(qmp)
    }

    /// Executes a command without arguments, and waits until it is done.
    ///
    /// # Errors
    /// [`Failure::Form`] with QEMU's answer if it refuses.
    pub(crate) fn execute(&mut self, command: &str) -> Result<(), Failure> {
        let line = json!({ "execute": command }).to_string() + "\n";
        let sent = self.stream.get_mut().write_all(line.as_bytes());
        sent.map_err(Failure::file("QMP"))?;
        loop {
            let answer = self.read()?;
            if answer.get("return").is_some() {
                return Ok(());
            }
            if answer.get("error").is_some() {
                return Err(wrong(format!("{command}: {answer}")));
            }
            // Anything else is an event.
        }
    }

    fn read(&mut self) -> Result<Value, Failure> {
        let mut line = String::new();
        match self.stream.read_line(&mut line) {
            Ok(0) => Err(wrong("QEMU closed the connection".to_owned())),
            Ok(_) => serde_json::from_str(&line)
                .map_err(|error| wrong(format!("no JSON ({error}): {line}"))),
            Err(error) => Err(Failure::file("QMP")(error)),
        }
    }
}

fn wrong(why: String) -> Failure {
    Failure::Form {
        what: "QMP".to_owned(),
        why,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A QEMU that says these lines, one for the greeting and each command.
    fn qemu(lines: &'static [&'static str]) -> UnixStream {
        let (ours, theirs) = UnixStream::pair().unwrap();
        std::thread::spawn(move || {
            let mut stream = BufReader::new(theirs);
            for line in lines {
                let _ = stream.get_mut().write_all(line.as_bytes());
                let mut command = String::new();
                let _ = stream.read_line(&mut command);
                let _: Value = serde_json::from_str(&command).unwrap_or_default();
            }
        });
        ours
    }

    #[test]
    fn events_before_an_answer_are_passed_over() {
        let mut qmp = Qmp::greet(qemu(&[
            "{\"QMP\": {}}\n",
            "{\"return\": {}}\n",
            "{\"event\": \"STOP\"}\n{\"return\": {}}\n",
            "{\"error\": {\"desc\": \"no\"}}\n",
        ]))
        .unwrap();
        qmp.execute("stop").unwrap();
        let refused = qmp.execute("cont").unwrap_err().to_string();
        assert!(
            refused.contains("cont") && refused.contains("desc"),
            "{refused}"
        );
        assert!(qmp.execute("quit").is_err());
    }

    #[test]
    fn what_is_no_qemu_is_refused() {
        assert!(Qmp::greet(qemu(&["hello\n"])).is_err());
        assert!(Qmp::greet(qemu(&["{\"hello\": 1}\n"])).is_err());
        assert!(Qmp::greet(qemu(&[])).is_err());
    }
}
