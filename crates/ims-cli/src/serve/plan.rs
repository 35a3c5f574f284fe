// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What is to be served: each device with its name and its socket.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use ims_dsa::adi::AdiConfig;
use ims_dsa::front::Parameters;
use ims_dsa::layout::registers::{IMS_UNIT, IMS_UNITS_LIMIT};

use super::error::ServeError;
use super::fields::ParentPlan;
use crate::control::{Name, Place};

/// The longest path of a socket, in bytes: `sun_path` less its end (unix(7)).
const LONGEST_SOCKET: usize = 107;

/// The most entries a store can have.
const MOST_ENTRIES: u32 = IMS_UNIT * IMS_UNITS_LIMIT;

/// What is to be served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Where sockets are that nobody named.
    pub(crate) directory: PathBuf,
    /// The control socket.
    pub(crate) control: PathBuf,
    /// What virtual devices are composed on.
    pub(crate) parent: ParentPlan,
    /// What a virtual device is that is created later.
    pub(crate) interface: AdiConfig,
    /// What is served from the start.
    pub(crate) devices: Vec<Planned>,
}

/// One device that is to be served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Planned {
    pub(crate) name: Name,
    /// Where, if not at its name in the plan's directory.
    pub(crate) socket: Option<PathBuf>,
    pub(crate) shape: Shape,
}

/// What a device is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A physical function that its client owns.
    Physical(Box<Parameters>),
    /// A virtual device on the parent.
    Virtual(AdiConfig),
}

impl Shape {
    /// MSI-X vectors it shows.
    pub(super) fn vectors(&self) -> u64 {
        match self {
            Self::Physical(parameters) => parameters.vectors.into(),
            Self::Virtual(config) => config.vectors.into(),
        }
    }
}

impl Plan {
    /// Nothing served, at the user's place.
    pub(crate) fn new(place: &Place) -> Self {
        Self {
            directory: place.directory().to_owned(),
            control: place.control(),
            parent: ParentPlan::default(),
            interface: AdiConfig::default(),
            devices: Vec::new(),
        }
    }

    /// Plans `count` virtual devices `prefix0`, `prefix1`, and so on.
    pub(crate) fn compose(
        &mut self,
        prefix: &str,
        count: u32,
        config: &AdiConfig,
    ) -> Result<(), ServeError> {
        for number in 0..count {
            let name = Name::numbered(prefix, number).map_err(|error| ServeError::Name {
                name: format!("{prefix}{number}"),
                error,
            })?;
            self.devices.push(Planned {
                name,
                socket: None,
                shape: Shape::Virtual(config.clone()),
            });
        }
        Ok(())
    }

    /// The store's entries that all planned virtual devices can have in use.
    pub(crate) fn entries_wanted(&self) -> u64 {
        let virtuals = self
            .devices
            .iter()
            .filter_map(|planned| match &planned.shape {
                Shape::Virtual(config) => Some(config),
                Shape::Physical(_) => None,
            });
        let backed = virtuals.map(|config| u64::from(config.vectors).saturating_sub(1));
        backed.sum()
    }

    /// Makes the parent's store as large as its devices need, if nobody said how
    /// large; then checks that devices do not meet.
    ///
    /// # Errors
    /// [`ServeError`]: two devices of one name or socket, or a socket's path that is
    /// too long.
    pub(crate) fn complete(&mut self) -> Result<(), ServeError> {
        if !self.parent.entries_given {
            let wanted = self.entries_wanted().min(MOST_ENTRIES.into());
            let wanted = u32::try_from(wanted).unwrap_or(MOST_ENTRIES);
            let config = &mut self.parent.config;
            config.ims_entries = config.ims_entries.max(wanted.next_multiple_of(IMS_UNIT));
        }
        let mut names = BTreeSet::new();
        let mut sockets = BTreeMap::from([(self.control.clone(), "the control socket".to_owned())]);
        for planned in &self.devices {
            let name = &planned.name;
            if !names.insert(name) {
                return Err(ServeError::SameName(name.clone()));
            }
            let socket = self.socket(planned)?;
            if let Some(other) = sockets.insert(socket.clone(), name.to_string()) {
                let name = name.clone();
                return Err(ServeError::SameSocket {
                    name,
                    other,
                    socket,
                });
            }
        }
        Ok(())
    }

    /// Where a device is served.
    ///
    /// # Errors
    /// [`ServeError::SocketPath`].
    pub(crate) fn socket(&self, planned: &Planned) -> Result<PathBuf, ServeError> {
        let socket = match &planned.socket {
            Some(socket) => socket.clone(),
            None => socket_in(&self.directory, &planned.name),
        };
        check_socket(&planned.name, &socket)?;
        Ok(socket)
    }
}

/// The socket of a device in a directory.
pub(crate) fn socket_in(directory: &Path, name: &Name) -> PathBuf {
    directory.join(format!("{name}.sock"))
}

/// Refuses what is no path for a socket: too long, or not text, which neither QEMU
/// nor an answer can hold.
pub(crate) fn check_socket(name: &Name, socket: &Path) -> Result<(), ServeError> {
    let fits = socket
        .to_str()
        .is_some_and(|text| text.len() <= LONGEST_SOCKET && !text.contains(char::is_control));
    if fits {
        Ok(())
    } else {
        Err(ServeError::SocketPath {
            name: name.clone(),
            socket: socket.to_owned(),
            most: LONGEST_SOCKET,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        let mut plan = Plan::new(&Place::of_user());
        plan.directory = "/d".into();
        plan.control = "/d/control".into();
        plan
    }

    #[test]
    fn many_are_numbered_and_the_store_grows_with_them() {
        let mut plan = plan();
        let config = AdiConfig {
            vectors: 4,
            ..AdiConfig::default()
        };
        plan.compose("vdsa", 1000, &config).unwrap();
        plan.complete().unwrap();
        assert_eq!(plan.devices.len(), 1000);
        let last = plan.devices.last().unwrap();
        assert_eq!(plan.socket(last).unwrap(), Path::new("/d/vdsa999.sock"));
        assert_eq!(plan.entries_wanted(), 3000);
        assert_eq!(plan.parent.config.ims_entries, 3072);
    }

    #[test]
    fn a_store_that_somebody_sized_stays() {
        let mut plan = plan();
        plan.compose("vdsa", 1000, &AdiConfig::default()).unwrap();
        plan.parent.entries_given = true;
        plan.parent.config.ims_entries = 256;
        plan.complete().unwrap();
        assert_eq!(plan.parent.config.ims_entries, 256);
    }

    #[test]
    fn a_store_never_grows_beyond_what_there_is() {
        let mut plan = plan();
        plan.compose("vdsa", 20_000, &AdiConfig::default()).unwrap();
        plan.complete().unwrap();
        assert_eq!(plan.parent.config.ims_entries, 16_128);
    }

    #[test]
    fn devices_that_meet_are_refused() {
        let planned = |name: &str, socket: Option<&str>| Planned {
            name: name.parse().unwrap(),
            socket: socket.map(PathBuf::from),
            shape: Shape::Virtual(AdiConfig::default()),
        };
        let told = |devices: Vec<Planned>| {
            let mut plan = plan();
            plan.devices = devices;
            plan.complete().unwrap_err().to_string()
        };
        let error = told(vec![planned("a", None), planned("a", Some("/x"))]);
        assert!(
            error.starts_with("there is a device \"a\" already"),
            "{error}"
        );
        let error = told(vec![planned("a", None), planned("b", Some("/d/a.sock"))]);
        assert!(
            error.starts_with("b and a are both to be served at /d/a.sock"),
            "{error}"
        );
        let error = told(vec![planned("a", Some("/d/control"))]);
        assert!(error.contains("the control socket"), "{error}");
        let long = format!("/{}", "x".repeat(LONGEST_SOCKET));
        let error = told(vec![planned("a", Some(&long))]);
        assert!(error.contains("at most 107 bytes"), "{error}");
    }
}
