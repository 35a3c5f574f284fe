// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What `ims serve` says as it begins to serve.

use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;

use super::qemu;
use crate::columns::Columns;
use crate::control::message::{Shown, Summary};

/// Devices that are listed one by one; of more, the first and the last.
const LISTED: usize = 8;

/// What is served.
#[derive(Debug, Serialize)]
pub(super) struct Announcement<'a> {
    /// Where `ims adi` and `ims stat` connect.
    pub(super) control: &'a Path,
    /// The devices, each with how to attach it.
    pub(super) devices: Vec<Shown>,
    /// What the user should know.
    pub(super) notes: Vec<String>,
}

impl<'a> Announcement<'a> {
    pub(super) fn new(control: &'a Path, devices: Vec<Summary>, notes: Vec<String>) -> Self {
        let devices = devices.into_iter().map(qemu::shown).collect();
        Self {
            control,
            devices,
            notes,
        }
    }

    /// Writes it for programs, on one line, or for people.
    pub(super) fn write(&self, out: &mut impl Write, json: bool) -> io::Result<()> {
        if json {
            serde_json::to_writer(&mut *out, self)?;
            writeln!(out)?;
        } else {
            self.people(out)?;
        }
        out.flush()
    }

    fn people(&self, out: &mut impl Write) -> io::Result<()> {
        let count = self.devices.len();
        let s = if count == 1 { "" } else { "s" };
        let control = self.control.display();
        writeln!(out, "Serving {count} device{s}; control socket {control}\n")?;
        let mut columns = Columns::new(["  NAME", "KIND", "PASID", "VECTORS", "SOCKET"]);
        let all = self.devices.iter().map(|shown| &shown.device);
        let few: Vec<_> = if count <= LISTED {
            all.collect()
        } else {
            all.clone().take(1).chain(all.skip(count - 1)).collect()
        };
        for device in few {
            columns.row([
                format!("  {}", device.name),
                device.kind.name().to_owned(),
                device
                    .pasid
                    .map_or_else(|| "-".to_owned(), |pasid| pasid.to_string()),
                device.vectors.to_string(),
                device.socket.clone(),
            ]);
        }
        writeln!(out, "{columns}")?;
        if count > LISTED {
            writeln!(out, "  and {} between them: `ims adi list`\n", count - 2)?;
        }
        // One of each kind: the others differ by their socket.
        let mut told = Vec::new();
        for shown in &self.devices {
            let kind = shown.device.kind;
            if told.contains(&kind) {
                continue;
            }
            told.push(kind);
            attach(out, shown)?;
            let others = self
                .devices
                .iter()
                .filter(|other| other.device.kind == kind);
            match others.count() - 1 {
                0 => {}
                1 => writeln!(out, "The other {} device: its own path.\n", kind.name())?,
                others => writeln!(
                    out,
                    "The {others} other {} devices: the same, each with its own path; a machine \
                     may have several -device.\n",
                    kind.name()
                )?,
            }
        }
        if self.devices.is_empty() {
            writeln!(out, "Compose one: ims adi create NAME\n")?;
        }
        for note in &self.notes {
            writeln!(out, "Note: {note}")?;
        }
        writeln!(out, "Watch: ims stat --watch. End: SIGTERM or Ctrl-C.")
    }
}

/// How to attach one device.
pub(crate) fn attach(out: &mut impl Write, shown: &Shown) -> io::Result<()> {
    let device = &shown.device;
    writeln!(out, "Attach {} with QEMU 10.1 or later:\n", device.name)?;
    for line in qemu::command(shown).lines() {
        writeln!(out, "  {line}")?;
    }
    writeln!(out, "\nIn the guest:")?;
    for need in &shown.guest {
        writeln!(out, "  - {need}")?;
    }
    writeln!(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::message::Kind;

    fn said(count: u32, kind: Kind) -> String {
        let devices = (0..count).map(|number| Summary {
            name: crate::control::Name::numbered("d", number).unwrap(),
            kind,
            socket: format!("/run/d{number}.sock"),
            state: "disabled".to_owned(),
            maps: 0,
            vectors: 2,
            pasid: Some(number + 1),
        });
        let mut out = Vec::new();
        Announcement::new(Path::new("/c"), devices.collect(), vec!["short".to_owned()])
            .write(&mut out, false)
            .unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn one_device_is_told_with_its_whole_command() {
        let said = said(1, Kind::Virtual);
        assert!(
            said.starts_with("Serving 1 device; control socket /c\n"),
            "{said}"
        );
        assert!(
            said.contains("  d0    virtual  1      2        /run/d0.sock\n"),
            "{said}"
        );
        assert!(said.contains("\"path\":\"/run/d0.sock\""), "{said}");
        assert!(said.contains("Note: short\n"), "{said}");
        assert!(!said.contains("other"), "{said}");
    }

    #[test]
    fn of_many_the_first_is_told_and_how_others_differ() {
        let said = said(1000, Kind::Virtual);
        assert!(said.lines().count() < 40, "{said}");
        assert_eq!(said.matches("vfio-user-pci").count(), 1);
        assert!(said.contains("/run/d999.sock"), "{said}");
        assert!(said.contains("and 998 between them"), "{said}");
        assert!(said.contains("The 999 other virtual devices"), "{said}");
    }

    #[test]
    fn none_is_told_how_to_have_one() {
        assert!(said(0, Kind::Virtual).contains("ims adi create NAME"));
    }
}
