// Command capped-runc runs runc with no more rights than this host can give.
//
// Some sandboxed hosts lack capabilities (CAP_SYS_RESOURCE, say) in the bounding set. runc then refuses a
// privileged container: "unable to apply caps". This program stands in front of runc, rewrites the OCI
// runtime specification (config.json, and the file given to `exec --process`) to what the bounding set
// holds, and becomes runc. On a host that lacks nothing it changes nothing.
//
// Format: https://github.com/opencontainers/runtime-spec/blob/main/config.md
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "capped-runc: %v\n", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	missing, err := missingCapabilities("/proc/self/status")
	if err != nil {
		return err
	}
	if len(missing) > 0 {
		if err := capSpecifications(args, missing); err != nil {
			return err
		}
	}
	runc, err := realRunc()
	if err != nil {
		return err
	}
	return syscall.Exec(runc, append([]string{"runc"}, args...), os.Environ())
}

// capSpecifications rewrites the files that this call of runc will read.
func capSpecifications(args []string, missing map[string]bool) error {
	for i, arg := range args {
		switch arg {
		case "create", "run", "restore":
			bundle, given := flagValue(args, "--bundle", "-b")
			if !given {
				bundle = "."
			}
			return rewrite(filepath.Join(bundle, "config.json"), func(spec map[string]any) {
				capProcess(object(spec, "process"), missing)
				capDevices(spec)
			})
		case "exec":
			if file, given := flagValue(execFlags(args[i+1:]), "--process", "-p"); given {
				return rewrite(file, func(process map[string]any) { capProcess(process, missing) })
			}
			return nil
		case "checkpoint", "delete", "events", "features", "kill", "list", "pause", "ps", "resume", "spec", "start",
			"state", "update":
			return nil // reads no specification; what follows is a container's name
		}
	}
	return nil
}

// Flags of `runc exec` that stand alone; every other one takes a value.
var aloneInExec = map[string]bool{
	"--tty": true, "-t": true, "--detach": true, "-d": true, "--no-new-privs": true, "--ignore-paused": true,
	"--help": true, "-h": true,
}

// execFlags gives what stands before the container's name: after it comes the command, whose flags are not runc's.
func execFlags(args []string) []string {
	for i := 0; i < len(args); i++ {
		switch arg := args[i]; {
		case !strings.HasPrefix(arg, "-") || arg == "--":
			return args[:i]
		case !aloneInExec[arg] && !strings.Contains(arg, "="):
			i++
		}
	}
	return args
}

func flagValue(args []string, names ...string) (string, bool) {
	for i, arg := range args {
		for _, name := range names {
			if arg == name && i+1 < len(args) {
				return args[i+1], true
			}
			if value, found := strings.CutPrefix(arg, name+"="); found {
				return value, true
			}
		}
	}
	return "", false
}

func rewrite(path string, change func(map[string]any)) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	spec := map[string]any{}
	decoder := json.NewDecoder(strings.NewReader(string(raw)))
	decoder.UseNumber() // rlimits and ids are 64 bit; a float would round them
	if err := decoder.Decode(&spec); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	change(spec)
	changed, err := json.Marshal(spec)
	if err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	return os.WriteFile(path, changed, info.Mode().Perm())
}

func object(parent map[string]any, key string) map[string]any {
	child, _ := parent[key].(map[string]any)
	return child
}

// capProcess drops the capabilities, and without CAP_SYS_RESOURCE also what only that one could raise.
func capProcess(process map[string]any, missing map[string]bool) {
	if process == nil {
		return
	}
	sets := object(process, "capabilities")
	for set, value := range sets {
		names, _ := value.([]any)
		kept := []any{}
		for _, name := range names {
			if text, _ := name.(string); !missing[text] {
				kept = append(kept, name)
			}
		}
		sets[set] = kept
	}
	if missing["CAP_SYS_RESOURCE"] {
		capResources(process)
	}
}

// capResources keeps hard limits at ours and the OOM score at or above ours: neither can be bettered.
func capResources(process map[string]any) {
	rlimits, _ := process["rlimits"].([]any)
	kept := []any{}
	for _, entry := range rlimits {
		limit, _ := entry.(map[string]any)
		name, _ := limit["type"].(string)
		if hard, known := hardLimit(name); known && above(limit["hard"], hard) {
			continue // the container inherits ours
		}
		kept = append(kept, entry)
	}
	if len(rlimits) > 0 {
		process["rlimits"] = kept
	}
	own, err := os.ReadFile("/proc/self/oom_score_adj")
	if err != nil {
		return
	}
	floor, err := strconv.ParseInt(strings.TrimSpace(string(own)), 10, 64)
	if err != nil {
		return
	}
	if wanted, given := process["oomScoreAdj"].(json.Number); given {
		if score, err := wanted.Int64(); err == nil && score < floor {
			process["oomScoreAdj"] = floor
		}
	}
}

// Numbers of getrlimit(2) on Linux.
var rlimitNumbers = map[string]int{
	"RLIMIT_CPU": 0, "RLIMIT_FSIZE": 1, "RLIMIT_DATA": 2, "RLIMIT_STACK": 3, "RLIMIT_CORE": 4, "RLIMIT_RSS": 5,
	"RLIMIT_NPROC": 6, "RLIMIT_NOFILE": 7, "RLIMIT_MEMLOCK": 8, "RLIMIT_AS": 9,
}

func hardLimit(name string) (uint64, bool) {
	number, known := rlimitNumbers[name]
	if !known {
		return 0, false
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(number, &limit); err != nil {
		return 0, false
	}
	return limit.Max, true
}

func above(value any, limit uint64) bool {
	number, _ := value.(json.Number)
	wanted, err := strconv.ParseUint(number.String(), 10, 64)
	return err == nil && wanted > limit
}

// capDevices: inside a container under cgroup v1 the kernel refuses "a *:* rwm"; its two halves are granted.
func capDevices(spec map[string]any) {
	resources := object(object(spec, "linux"), "resources")
	rules, _ := resources["devices"].([]any)
	changed := []any{}
	for _, entry := range rules {
		rule, _ := entry.(map[string]any)
		kind, _ := rule["type"].(string)
		_, numbered := rule["major"]
		if allow, _ := rule["allow"].(bool); allow && !numbered && (kind == "" || kind == "a") {
			for _, half := range []string{"c", "b"} {
				changed = append(changed, map[string]any{"allow": true, "type": half, "access": rule["access"]})
			}
			continue
		}
		changed = append(changed, entry)
	}
	if len(rules) > 0 {
		resources["devices"] = changed
	}
}

// missingCapabilities gives the names that the bounding set in a /proc/PID/status lacks.
func missingCapabilities(status string) (map[string]bool, error) {
	raw, err := os.ReadFile(status)
	if err != nil {
		return nil, err
	}
	for _, line := range strings.Split(string(raw), "\n") {
		value, found := strings.CutPrefix(line, "CapBnd:")
		if !found {
			continue
		}
		bounding, err := strconv.ParseUint(strings.TrimSpace(value), 16, 64)
		if err != nil {
			return nil, err
		}
		missing := map[string]bool{}
		for number, name := range capabilityNames {
			if bounding&(1<<number) == 0 {
				missing[name] = true
			}
		}
		return missing, nil
	}
	return nil, fmt.Errorf("%s has no CapBnd line", status)
}

// realRunc is "runc.real" beside this program, or else the first runc on PATH that is not this program.
func realRunc() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	if beside := filepath.Join(filepath.Dir(self), "runc.real"); executable(beside) {
		return beside, nil
	}
	own, _ := os.Stat(self)
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		candidate := filepath.Join(dir, "runc")
		if info, err := os.Stat(candidate); err == nil && !os.SameFile(info, own) && executable(candidate) {
			return candidate, nil
		}
	}
	if found, err := exec.LookPath("/usr/sbin/runc"); err == nil {
		return found, nil
	}
	return "", errors.New("no runc beside this program or on PATH; install the package runc")
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.IsDir() && info.Mode()&0o111 != 0
}
