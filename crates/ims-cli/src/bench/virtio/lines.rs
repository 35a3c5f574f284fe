// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Lines of code of each transport, counted in the sources beside this program's.

use super::super::row::Row;
use ims_virtio::machine::Transport;
use std::fs;
use std::io;
use std::path::Path;

/// What a transport consists of: files, or all in a directory.
fn device(transport: Transport) -> &'static [&'static str] {
    match transport {
        Transport::Single => &["mmio", "interrupts/level.rs", "layout/mmio.rs"],
        Transport::Msi => &[
            "mmio",
            "interrupts/level.rs",
            "layout/mmio.rs",
            "interrupts/msi",
            "layout/msi.rs",
        ],
        Transport::Vis => &[
            "mmio",
            "interrupts/level.rs",
            "layout/mmio.rs",
            "vis",
            "layout/vis.rs",
        ],
        Transport::Pci => &[
            "pci",
            "layout/pci.rs",
            "machine/function.rs",
            "../../ims/src/msix",
        ],
    }
}

fn driver(transport: Transport) -> &'static [&'static str] {
    match transport {
        Transport::Single => &["transport/mmio.rs", "interrupts/single.rs"],
        Transport::Msi => &[
            "transport/mmio.rs",
            "interrupts/single.rs",
            "interrupts/msi.rs",
        ],
        Transport::Vis => &[
            "transport/mmio.rs",
            "interrupts/single.rs",
            "interrupts/vis.rs",
        ],
        Transport::Pci => &[
            "transport/pci.rs",
            "transport/capabilities.rs",
            "interrupts/single.rs",
            "interrupts/msix.rs",
        ],
    }
}

/// Which files, of a transport.
type Parts = fn(Transport) -> &'static [&'static str];

/// Both sides of all transports; what they share (negotiation, queues, devices) is in
/// none.
pub(super) fn rows() -> Vec<Row> {
    let sides: [(&str, &str, Parts); 2] = [
        ("device", "../ims-virtio/src", device),
        ("driver", "../../guest/virtio/src", driver),
    ];
    let mut rows = Vec::new();
    for (side, folder, parts) in sides {
        let line = format!("lines of code, {side} side");
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        for transport in Transport::ALL {
            let name = format!("{line}: {}", transport.name());
            let counted: io::Result<usize> = parts(transport)
                .iter()
                .map(|part| of(&folder.join(part)))
                .sum();
            let row = match counted {
                Ok(lines) => Row::new(name, lines as f64, "lines").note(note(side)),
                Err(_) => Row::skipped(name, "lines", "the sources are not there"),
            };
            rows.push(row.cell(line.clone(), transport.name()));
        }
    }
    rows
}

fn note(side: &str) -> &'static str {
    if side == "device" {
        "without blanks, comments and tests; negotiation, queues and devices are shared and in \
         none; virtio-mmio's are in its ways' too; virtio-pci's are with MSI-X table and \
         configuration space"
    } else {
        "without blanks, comments and tests; what all share is in none"
    }
}

/// Lines of a file, or of all in a directory but tests.
fn of(path: &Path) -> io::Result<usize> {
    if !path.is_dir() {
        return Ok(code(&fs::read_to_string(path)?));
    }
    let mut lines = 0;
    for entry in fs::read_dir(path)? {
        let path = entry?.path();
        let is_test = path
            .file_stem()
            .is_some_and(|stem| stem.to_string_lossy().contains("tests"));
        let is_source = path.is_dir() || path.extension().is_some_and(|kind| kind == "rs");
        if is_source && !is_test {
            lines += of(&path)?;
        }
    }
    Ok(lines)
}

/// Lines with code on them, up to a module of tests.
fn code(source: &str) -> usize {
    let mut lines = source.lines().map(str::trim).peekable();
    let mut count = 0;
    while let Some(line) = lines.next() {
        if line.starts_with("#[cfg(") && line.contains("test") {
            match lines.peek() {
                // A module in a file of its own.
                Some(next) if next.ends_with(';') => {
                    lines.next();
                }
                // One that goes on to the end.
                Some(next) if next.contains("mod ") => break,
                _ => {}
            }
        } else if !line.is_empty() && !line.starts_with("//") {
            count += 1;
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_comments_and_tests_are_no_lines() {
        let source = "//! What.\n\nuse a; // why\n/// Doc.\nfn f() {\n    // c\n    g();\n}\n\
                      #[cfg(all(test, not(loom)))]\nmod far;\nfn h() {}\n\
                      #[cfg(test)]\nmod tests {\n    fn t() {}\n}\n";
        assert_eq!(code(source), 5);
    }

    #[test]
    fn every_part_is_there() {
        for row in rows() {
            assert!(row.value.is_some_and(|lines| lines > 10.0), "{row:?}");
        }
    }
}
