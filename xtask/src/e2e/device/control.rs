// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A server of DSAs, asked over its control socket as its user would: by the
//! program `ims`.

use super::server::{Program, Server};
use crate::failure::Failure;
use serde::Deserialize;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// `ims serve`, under way.
#[derive(Debug)]
pub(crate) struct Served<'a> {
    pub(crate) server: Server,
    program: &'a Program,
    control: PathBuf,
}

impl<'a> Served<'a> {
    /// Starts `ims serve` with `count` virtual devices, vdsa0 and so on, in `place`.
    /// Returns it and their sockets.
    ///
    /// # Errors
    /// [`Failure::Command`] with what it said, if it does not serve.
    pub(crate) fn virtual_devices(
        program: &'a Program,
        place: &Path,
        count: u32,
    ) -> Result<(Self, Vec<PathBuf>), Failure> {
        let control = place.join("control");
        let sockets: Vec<_> = (0..count)
            .map(|number| place.join(format!("vdsa{number}.sock")))
            .collect();
        let last = sockets
            .last()
            .ok_or_else(|| Failure::Nothing("a server of no devices serves nobody".to_owned()))?;
        let server = program.with(["serve", "--compose", &count.to_string(), "--control"]);
        let server = server.with([&control]).with(["--dir"]).with([place]);
        let server = Server::serving(&server, last)?;
        let served = Self {
            server,
            program,
            control,
        };
        Ok((served, sockets))
    }

    /// Starts `ims serve` with `arguments`, and one device at `socket`.
    ///
    /// # Errors
    /// [`Failure::Command`] with what it said, if it does not serve.
    pub(crate) fn one(
        program: &'a Program,
        place: &Path,
        socket: &Path,
        arguments: &[&str],
    ) -> Result<Self, Failure> {
        let control = place.join("control");
        let server = program.with(["serve", "--control"]).with([&control]);
        let server = server.with(arguments).with(["--socket"]);
        Ok(Self {
            server: Server::start(&server, socket)?,
            program,
            control,
        })
    }

    /// Takes back the interrupt handles of `device`; says how many.
    ///
    /// # Errors
    /// [`Failure::Command`] if the server refuses.
    pub(crate) fn revoke(&self, device: &str) -> Result<u64, Failure> {
        let said = self.ask(&["adi", "revoke", device])?;
        let handles = said.get("handles").and_then(Value::as_u64);
        handles.ok_or_else(|| Failure::Form {
            what: "ims adi revoke".to_owned(),
            why: format!("does not say how many handles: {said}"),
        })
    }

    /// What the server tells of `device`.
    ///
    /// # Errors
    /// [`Failure::Command`] if the server refuses, [`Failure::Form`] if it does not
    /// tell.
    pub(crate) fn device(&self, device: &str) -> Result<Device, Failure> {
        let said = self.ask(&["stat"])?;
        Device::read(&said, device).map_err(|why| Failure::Form {
            what: "ims stat".to_owned(),
            why: format!("{why}: {said}"),
        })
    }

    fn ask(&self, words: &[&str]) -> Result<Value, Failure> {
        let asking = self.program.with(words).with(["--json", "--control"]);
        let text = asking.with([&self.control]).ask()?;
        serde_json::from_str(&text).map_err(|error| Failure::Form {
            what: format!("ims {}", words.join(" ")),
            why: format!("{error}: {text}"),
        })
    }
}

/// A device, as the server tells of it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
pub(crate) struct Device {
    pub(crate) name: String,
    pub(crate) state: String,
    /// Maps of the client's memory.
    pub(crate) maps: u64,
    pub(crate) queues: Vec<Queue>,
    #[serde(rename = "interrupts")]
    pub(crate) vectors: Vec<Vector>,
}

/// A work queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) struct Queue {
    /// Descriptors that wait in it.
    pub(crate) waiting: u64,
}

/// A vector of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub(crate) struct Vector {
    pub(crate) kind: Kind,
    #[serde(rename = "vector")]
    pub(crate) number: u64,
    /// The entry of the store that it is.
    pub(crate) index: Option<u64>,
    /// The interrupt handle its driver has.
    pub(crate) handle: Option<u64>,
    pub(crate) raised: u64,
    pub(crate) delivered: u64,
    pub(crate) coalesced: u64,
    pub(crate) held: u64,
    pub(crate) faulted: u64,
    pub(crate) dropped: u64,
}

/// What stands behind a vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    #[default]
    Misc,
    Emulated,
    MsiX,
    Ims,
}

#[derive(Deserialize)]
struct Told {
    devices: Vec<Device>,
}

impl Device {
    fn read(said: &Value, name: &str) -> Result<Self, String> {
        let told = Told::deserialize(said).map_err(|error| error.to_string())?;
        let mut devices = told.devices.into_iter();
        let named = devices.find(|device| device.name == name);
        named.ok_or_else(|| format!("no device {name}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_device_is_the_one_that_is_named() {
        let vector = |handle: Option<u64>| {
            let mut vector = json!({
                "kind": "ims", "vector": 1, "raised": 5, "delivered": 4, "coalesced": 1,
                "held": 0, "faulted": 0, "dropped": 0,
            });
            if let Some(handle) = handle {
                vector["handle"] = handle.into();
            }
            vector
        };
        let device = |name: &str, vectors: Vec<Value>| {
            json!({
                "name": name, "state": "enabled", "maps": 2,
                "queues": [{ "waiting": 1 }], "interrupts": vectors,
            })
        };
        let said = json!({ "devices": [
            device("a", Vec::new()),
            device("b", vec![vector(Some(7)), vector(None)]),
        ]});
        let found = Device::read(&said, "b").unwrap();
        assert_eq!((&found.state[..], found.maps), ("enabled", 2));
        assert_eq!(found.queues[0].waiting, 1);
        let [first, second] = found.vectors[..] else {
            panic!("{found:?}")
        };
        assert_eq!((first.kind, first.handle), (Kind::Ims, Some(7)));
        assert_eq!((second.handle, second.index), (None, None));
        assert_eq!((first.number, first.raised, first.delivered), (1, 5, 4));
        assert_eq!(Device::read(&said, "a").unwrap().vectors, []);
        assert!(Device::read(&said, "d").is_err());
        let said = json!({ "devices": [device("a", vec![json!({ "vector": 1 })])] });
        assert!(Device::read(&said, "a").is_err());
    }

    #[test]
    fn a_server_of_nothing_is_refused() {
        let program = Program::own(Path::new("/bin/cat"));
        assert!(Served::virtual_devices(&program, Path::new("/none"), 0).is_err());
    }
}
