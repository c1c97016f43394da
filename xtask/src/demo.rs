//! `cargo xtask demo`: what the workspace does, before one's eyes.

use std::ffi::OsString;
use std::process::ExitCode;

use crate::error::Error;
use crate::process;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Run the demo natively. Without it the same happens for now: the demo in the browser is not
    /// there yet
    #[arg(long)]
    native: bool,
    /// Goes to the demo as it is: `--voters N`, `--votes M`, `--seed S`, `--poll FILE`, `--dir DIR`
    /// and the like. `-- --help` shows the demo's own help
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "ARGS"
    )]
    args: Vec<OsString>,
}

/// Runs the demo; its exit code is the exit code.
pub(crate) fn run(args: &Args) -> ExitCode {
    if !args.native {
        eprintln!("The demo in the browser is not there yet; this is the native one.");
    }
    match start(&args.args) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn start(args: &[OsString]) -> Result<ExitCode, Error> {
    let build = ["build", "--release", "--package", "native-demo"];
    process::step("build the demo", || {
        process::run(&mut process::cargo(build))
    })?;
    // Without a process in between: the demo alone gets Ctrl-C and ends as it likes.
    let mut demo = process::cargo([
        "run",
        "--quiet",
        "--release",
        "--package",
        "native-demo",
        "--",
    ]);
    // The paths among the arguments are seen from where the caller is.
    demo.current_dir(".");
    demo.args(args.iter().filter(|arg| *arg != "--native"));
    #[cfg(unix)]
    {
        let refused = std::os::unix::process::CommandExt::exec(&mut demo);
        Err(process::not_started(&demo, refused))
    }
    #[cfg(not(unix))]
    {
        let status = demo
            .status()
            .map_err(|source| process::not_started(&demo, source))?;
        let code = status
            .code()
            .and_then(|code| u8::try_from(code).ok())
            .unwrap_or(1);
        Ok(ExitCode::from(code))
    }
}
