// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `ims adi`: composes, destroys and lists the interfaces of a running server.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::columns::Columns;
use crate::control::message::{Answer, Create, Request, Shown, Summary};
use crate::control::{ControlError, Name, ask};
use crate::serve::{ControlFlag, attach};

/// What `ims adi` is told.
#[derive(Debug, Args)]
pub(crate) struct AdiArgs {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    control: ControlFlag,
    /// Print the answer as one JSON object
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Compose a virtual device; its socket is NAME.sock beside the others.
    Create {
        /// What it will be called
        name: Name,
        /// MSI-X vectors: one emulated, the others of the parent's IMS
        #[arg(long, value_name = "COUNT")]
        vectors: Option<u32>,
        /// Descriptors its queue holds
        #[arg(long, value_name = "COUNT")]
        queue_size: Option<u32>,
        /// Its queue's share of the engines, 1 to 15
        #[arg(long, value_name = "SHARE")]
        priority: Option<u32>,
    },
    /// Disconnect a virtual device's client and give back what the device has.
    Destroy {
        /// Which
        name: Name,
    },
    /// List all devices of the server.
    List,
    /// Show a device and how to attach it.
    Show {
        /// Which
        name: Name,
    },
    /// Take back a device's interrupt handles: its driver asks for new ones.
    Revoke {
        /// Whose
        name: Name,
    },
}

impl From<What> for Request {
    fn from(what: What) -> Self {
        match what {
            What::Create {
                name,
                vectors,
                queue_size,
                priority,
            } => Self::Create(Create {
                name,
                vectors,
                queue_size,
                priority,
            }),
            What::Destroy { name } => Self::Destroy { name },
            What::List => Self::List,
            What::Show { name } => Self::Show { name },
            What::Revoke { name } => Self::Revoke { name },
        }
    }
}

/// Carries out `ims adi`. Exit code 0: it was done; 1: it was not.
pub(crate) fn run(args: AdiArgs) -> ExitCode {
    let answer = match ask(&args.control.path(), &args.what.into()) {
        Ok(answer) => answer,
        Err(error) => return failed(&error, args.json),
    };
    match write(&mut io::stdout().lock(), &answer, args.json) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            eprintln!("ims adi: standard output: {error}");
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    }
}

/// A refusal is an answer, too, for programs.
fn failed(error: &ControlError, json: bool) -> ExitCode {
    if let (ControlError::Refused(refusal), true) = (error, json) {
        let answer = Answer::Refused(refusal.clone());
        if write(&mut io::stdout().lock(), &answer, true).is_ok() {
            return ExitCode::FAILURE;
        }
    }
    eprintln!("ims adi: {error}");
    ExitCode::FAILURE
}

fn write(out: &mut impl Write, answer: &Answer, json: bool) -> io::Result<()> {
    if json {
        serde_json::to_writer(&mut *out, answer)?;
        return writeln!(out);
    }
    match answer {
        Answer::Created(shown) => {
            writeln!(out, "Composed {}.\n", shown.device.name)?;
            show(out, shown)
        }
        Answer::Destroyed { name, quiet: true } => writeln!(out, "Destroyed {name}."),
        Answer::Destroyed { name, quiet: false } => writeln!(
            out,
            "Destroyed {name}; an engine is still at its last descriptor."
        ),
        Answer::Devices { devices } if devices.is_empty() => {
            writeln!(out, "No devices. Compose one: ims adi create NAME")
        }
        Answer::Devices { devices } => write!(out, "{}", list(devices)),
        Answer::Shown(shown) => show(out, shown),
        Answer::Revoked { name, handles: 0 } => {
            writeln!(out, "{name} has no interrupt handles; nothing was revoked.")
        }
        Answer::Revoked { name, handles } => {
            writeln!(
                out,
                "Revoked {handles} interrupt handles of {name}; its driver was told."
            )
        }
        Answer::Statistics(_) | Answer::Refused(_) => Ok(()),
    }
}

fn list(devices: &[Summary]) -> Columns<7> {
    let mut columns = Columns::new([
        "NAME", "KIND", "STATE", "PASID", "VECTORS", "MAPS", "SOCKET",
    ]);
    for device in devices {
        columns.row([
            device.name.to_string(),
            device.kind.name().to_owned(),
            device.state.clone(),
            device
                .pasid
                .map_or_else(|| "-".to_owned(), |pasid| pasid.to_string()),
            device.vectors.to_string(),
            device.maps.to_string(),
            device.socket.clone(),
        ]);
    }
    columns
}

fn show(out: &mut impl Write, shown: &Shown) -> io::Result<()> {
    writeln!(out, "{}", list(std::slice::from_ref(&shown.device)))?;
    attach(out, shown)
}
