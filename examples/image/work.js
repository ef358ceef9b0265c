// Runs for every message; its exit code decides what becomes of it.
console.log(`working on ${process.env.Message}`)
