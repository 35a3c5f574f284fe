// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How QEMU attaches a device: its arguments, ready for a shell.
//!
//! Seen with QEMU 11.1; it has the client `vfio-user-pci` from 10.1 on.

use std::fmt::Write;

use serde_json::json;

use crate::control::message::{Kind, Shown, Summary};

/// A device with all that is needed to attach it.
pub(super) fn shown(device: Summary) -> Shown {
    let kind = device.kind;
    Shown {
        qemu: attach(&device.socket),
        machine: machine(kind),
        guest: guest(kind),
        device,
    }
}

/// Arguments for the device itself.
fn attach(socket: &str) -> Vec<String> {
    let device = json!({
        "driver": "vfio-user-pci",
        "rombar": 0,
        "socket": { "type": "unix", "path": socket },
    });
    vec!["-device".to_owned(), device.to_string()]
}

/// Arguments for the machine, once: memory that the device can map, and interrupt
/// remapping for a device that keeps its guest's messages itself.
fn machine(kind: Kind) -> Vec<String> {
    let mut arguments = vec![
        "-machine",
        "q35,memory-backend=mem",
        "-object",
        "memory-backend-memfd,id=mem,size=4G,share=on",
        "-m",
        "4G",
    ];
    if kind == Kind::Physical {
        arguments.extend(["-device", "intel-iommu,intremap=on,eim=on,caching-mode=on"]);
    }
    arguments.into_iter().map(str::to_owned).collect()
}

/// What the guest needs.
fn guest(kind: Kind) -> Vec<String> {
    let mut needs = vec![
        "the driver idxd (CONFIG_INTEL_IDXD; Debian's generic kernel has it, its cloud kernel has \
         not): modprobe idxd",
        "a CPU with MOVDIR64B, or guest/linux/movdir64b in its place: idxd does not load without",
    ];
    needs.push(match kind {
        Kind::Physical => "accel-config to configure and enable its queues",
        Kind::Virtual => "accel-config to say what its queue is for, and to enable it",
    });
    if kind == Kind::Physical {
        needs.extend([
            "intel_iommu=on on its kernel's command line, for interrupts beyond MSI-X; with \
             -accel kvm also kernel-irqchip=split in -machine",
        ]);
    }
    needs.into_iter().map(str::to_owned).collect()
}

/// The command that attaches a device, on several lines.
pub(crate) fn command(shown: &Shown) -> String {
    let mut command = "qemu-system-x86_64".to_owned();
    let arguments: Vec<_> = shown.machine.iter().chain(&shown.qemu).collect();
    for pair in arguments.chunks(2) {
        command.push_str(" \\\n   ");
        for argument in pair {
            // Writing to a string does not fail.
            let _ = write!(command, " {}", quoted(argument));
        }
    }
    command
}

/// An argument as a shell takes it.
pub(crate) fn quoted(argument: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=,./:+@%".contains(c);
    if !argument.is_empty() && argument.chars().all(plain) {
        return argument.to_owned();
    }
    format!("'{}'", argument.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(kind: Kind, socket: &str) -> Summary {
        Summary {
            name: "a".parse().unwrap(),
            kind,
            socket: socket.to_owned(),
            state: "disabled".to_owned(),
            maps: 0,
            vectors: 2,
            pasid: None,
        }
    }

    #[test]
    fn a_virtual_device_is_attached_with_shared_memory() {
        let command = command(&shown(device(Kind::Virtual, "/run/a.sock")));
        let lines: Vec<_> = command.lines().map(str::trim).collect();
        assert_eq!(
            lines,
            [
                r"qemu-system-x86_64 \",
                r"-machine q35,memory-backend=mem \",
                r"-object memory-backend-memfd,id=mem,size=4G,share=on \",
                r"-m 4G \",
                r#"-device '{"driver":"vfio-user-pci","rombar":0,"socket":{"path":"/run/a.sock","type":"unix"}}'"#,
            ]
        );
    }

    #[test]
    fn a_physical_function_comes_with_interrupt_remapping() {
        let shown = shown(device(Kind::Physical, "/run/a.sock"));
        assert!(shown.machine.iter().any(|a| a.contains("intremap=on")));
        assert!(
            shown
                .guest
                .iter()
                .any(|need| need.contains("intel_iommu=on"))
        );
    }

    #[test]
    fn a_path_of_any_characters_survives_json_and_shell() {
        let socket = r#"/tmp/it's "a" \ $HOME"#;
        let shown = shown(device(Kind::Virtual, socket));
        let argument = shown.qemu.last().unwrap();
        let json: serde_json::Value = serde_json::from_str(argument).unwrap();
        assert_eq!(json["socket"]["path"], socket);
        let script = format!("printf %s {}", quoted(argument));
        let output = std::process::Command::new("sh")
            .args(["-c", &script])
            .output()
            .unwrap();
        assert_eq!(output.stdout, argument.as_bytes());
    }
}
