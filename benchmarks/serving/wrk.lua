-- What wrk found, as one line of JSON at the end of its output. Times in microseconds.
function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '{"requests": %d, "microseconds": %d, "p99": %d, "refused": %d, '
      .. '"connect": %d, "read": %d, "write": %d, "timeout": %d}\n',
    summary.requests, summary.duration, latency:percentile(99), errors.status,
    errors.connect, errors.read, errors.write, errors.timeout))
end
