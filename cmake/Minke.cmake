# One CMake target per folder of src/. minke_library(NAME deps...) builds src/NAME as minke_NAME and lets it see exactly the
# folders that the layer table below allows; tools/check_layers checks the includes against the same table.

set(MINKE_LAYERS_base "")
set(MINKE_LAYERS_tensor base)
set(MINKE_LAYERS_kernels base tensor)
set(MINKE_LAYERS_jinja base)
set(MINKE_LAYERS_format base tensor)
set(MINKE_LAYERS_tokenizer base tensor format)
set(MINKE_LAYERS_constrain base tensor format tokenizer)
set(MINKE_LAYERS_model base tensor kernels format)
set(MINKE_LAYERS_engine base tensor model)
set(MINKE_LAYERS_chat base tensor kernels jinja format tokenizer model engine)
set(MINKE_LAYERS_quantize base tensor kernels format model)
set(MINKE_LAYERS_convert base tensor kernels format tokenizer model quantize)
set(MINKE_LAYERS_synthetic base tensor kernels format tokenizer model quantize convert)
set(MINKE_LAYERS_measure base tensor kernels format model engine)
set(MINKE_LAYERS_hub base)
set(MINKE_LAYERS_sandbox base)
set(MINKE_LAYERS_tasks base sandbox)
set(MINKE_LAYERS_train base tensor kernels format jinja tokenizer model engine data tasks)
set(MINKE_LAYERS_eval base tensor model tokenizer tasks train)
set(MINKE_LAYERS_cli base tensor kernels jinja format tokenizer model engine chat quantize convert synthetic measure hub data ledger store train tasks eval plan server page serve)
set(MINKE_LAYERS_data base tensor jinja format tokenizer)
set(MINKE_LAYERS_sqlite base)
set(MINKE_LAYERS_ledger base sqlite)
set(MINKE_LAYERS_store base sqlite)
set(MINKE_LAYERS_plan base model)
set(MINKE_LAYERS_server base)
set(MINKE_LAYERS_serve base tensor kernels jinja format tokenizer constrain model engine sandbox tasks chat ledger server)
set(MINKE_LAYERS_page base measure hub ledger store server)

add_library(minke_flags INTERFACE)
target_compile_options(minke_flags INTERFACE -Wall -Wextra -Werror -Wshadow -Wnon-virtual-dtor -fno-math-errno -ffp-contract=off
  $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)  # files that share a unit may give their own types to their own classes
target_include_directories(minke_flags INTERFACE ${PROJECT_SOURCE_DIR}/src)

# Under the sanitizers clang needs a third of the time for what computes little when it need not optimise: the program's commands
# and records, and tests without loops over numbers; these also without counting branches for the fuzzers, which never run them.
# Elsewhere they and all tests are compiled at -O1, which takes gcc 18 s instead of 25 s a unit. Not at -O0: where a test and a
# library use the same template the linker takes the test's.
function(minke_compile_quickly target)
  if(CMAKE_BUILD_TYPE STREQUAL Debug)
    target_compile_options(${target} PRIVATE -O0)
  elseif(NOT target MATCHES "^minke_(server|store)$")  # of which users feel microseconds: a streamed token, a message searched
    target_compile_options(${target} PRIVATE -O1)
  endif()
  if(MINKE_FUZZ AND NOT target MATCHES "^minke_")
    target_compile_options(${target} PRIVATE -fno-sanitize=fuzzer-no-link)
  endif()
endfunction()
set(MINKE_LIGHT_LIBRARIES cli hub ledger page sandbox server store)
set(MINKE_LIGHT_TESTS chat cli convert eval format hub jinja ledger measure page plan quantize sandbox serve server shards store synthetic tasks_files)

# Units of long vector loops: four checks cost clang minutes each (145 of the 162 s of avx512vnni under the undefined-behaviour
# sanitizer), and the address sanitizer's as code of their own instead of calls 92 s against 28. Every access is still checked.
set(MINKE_KERNEL_CHECKS -fno-sanitize=alignment,null,object-size,pointer-overflow)
if(MINKE_FUZZ)
  list(APPEND MINKE_KERNEL_CHECKS -mllvm -asan-instrumentation-with-call-threshold=0)
endif()

# In presets that ask for it (CMAKE_UNITY_BUILD) eight files share one translation unit, where their headers cost more than
# they do. Elsewhere files may use the same name for a thing of their own.
set(MINKE_UNITY minke_base minke_chat minke_cli minke_constrain minke_convert minke_data minke_engine minke_eval minke_format
  minke_hub minke_jinja minke_ledger minke_measure minke_model minke_page minke_plan minke_quantize minke_sandbox minke_serve
  minke_server minke_sqlite minke_store minke_synthetic minke_tasks minke_tensor minke_tokenizer minke_train test_base test_chat
  test_cli test_constrain test_convert test_data test_engine test_eval test_format test_hub test_jinja test_kernels test_ledger
  test_measure test_model test_page test_pipeline test_plan test_quantize test_sandbox test_serve test_server test_shards
  test_store test_synthetic test_tasks test_tasks_files test_tokenizer test_train)
function(minke_unity target)
  if(NOT target IN_LIST MINKE_UNITY)
    set_target_properties(${target} PROPERTIES UNITY_BUILD OFF)
  endif()
endfunction()

function(minke_library name)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  list(FILTER sources EXCLUDE REGEX "/main/main.cpp$")
  add_library(minke_${name} STATIC ${sources})
  minke_unity(minke_${name})
  target_link_libraries(minke_${name} PUBLIC minke_flags)
  foreach(layer IN LISTS MINKE_LAYERS_${name})
    target_link_libraries(minke_${name} PUBLIC minke_${layer})
  endforeach()
  target_link_libraries(minke_${name} PUBLIC ${ARGN})
  if(name IN_LIST MINKE_LIGHT_LIBRARIES)
    minke_compile_quickly(minke_${name})
  endif()
endfunction()

# They begin first, so that the last one does not run alone.
set(MINKE_LONG_TESTS pipeline train engine tasks cli kernels)

# minke_test(NAME libraries...): tests/NAME/*.cpp become one binary, test_NAME.
function(minke_test name)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  add_executable(test_${name} ${sources})
  minke_unity(test_${name})
  target_link_libraries(test_${name} PRIVATE ${ARGN} minke_test_support GTest::gtest GTest::gtest_main)
  add_test(NAME ${name} COMMAND test_${name} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  target_compile_options(test_${name} PRIVATE -O1)
  if(name IN_LIST MINKE_LIGHT_TESTS)
    minke_compile_quickly(test_${name})
  endif()
  if(name IN_LIST MINKE_LONG_TESTS)
    set_tests_properties(${name} PROPERTIES COST 100)
  endif()
  set_tests_properties(${name} PROPERTIES TIMEOUT 900 ENVIRONMENT
    "ASAN_OPTIONS=allocator_may_return_null=0:detect_leaks=1;UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1")
endfunction()

# minke_fuzz(NAME libs...): tests/fuzz/fuzz_NAME.cpp with the corpus tests/fuzz/corpus/NAME.
function(minke_fuzz name)
  add_executable(fuzz_${name} fuzz_${name}.cpp)
  target_link_libraries(fuzz_${name} PRIVATE ${ARGN})
  target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
endfunction()
