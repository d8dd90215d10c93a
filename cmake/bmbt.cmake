# How folders of src/ become targets and files of tests/ become tests.

# bmbt_library(<folder> [SOURCES file...] [DEPENDS folder...])
# One target a folder of src/, named like the folder with '-' for '/'. Its headers are reached as "<folder>/<file>.hpp"
# and only by those who name it in DEPENDS: the include path holds nothing but links to the folder's own files, so an
# include against the direction of the layers does not compile. Without SOURCES the folder has only headers.
function(bmbt_library folder)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;DEPENDS")
    string(REPLACE "/" "-" name ${folder})
    bmbt_check_depends(${name} "${arg_DEPENDS}")

    set(farm ${PROJECT_BINARY_DIR}/include/${name})
    bmbt_link_headers(${folder} ${farm})
    if(NOT arg_SOURCES)
        add_library(${name} INTERFACE)
        set(visibility INTERFACE)
    elseif(folder STREQUAL "host/loongarch")
        add_library(${name} OBJECT ${arg_SOURCES})     # linked whole: its entry point has no caller
        set(visibility PUBLIC)
    else()
        add_library(${name} STATIC ${arg_SOURCES})
        set(visibility PUBLIC)
    endif()
    if(arg_SOURCES)
        target_link_libraries(${name} PRIVATE bmbt_warnings)
    endif()
    target_include_directories(${name} ${visibility} ${farm})
    target_link_libraries(${name} ${visibility} ${arg_DEPENDS})
endfunction()

# bmbt_image(<name> SOURCES file... DEPENDS folder...)
# An executable for the bare machine, in the image build only. It has the host layer, whose linker script places it.
# <name>.debug beside it is the same with symbols, which debuggers find by a link in the executable.
function(bmbt_image name)
    if(NOT BMBT_IMAGE)
        return()
    endif()
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;DEPENDS")
    bmbt_check_depends(${name} "${arg_DEPENDS}")
    set(script ${PROJECT_SOURCE_DIR}/src/host/loongarch/link.ld)
    add_executable(${name} ${arg_SOURCES})
    target_link_libraries(${name} PRIVATE host-loongarch ${arg_DEPENDS} bmbt_warnings)
    target_link_options(${name} PRIVATE -nostdlib -static --gc-sections "SHELL:-z norelro" "SHELL:-z max-page-size=4096"
        -T ${script})
    set_target_properties(${name} PROPERTIES LINK_DEPENDS ${script} LINKER_LANGUAGE CXX
        RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR})
    find_program(BMBT_OBJCOPY NAMES llvm-objcopy-19 llvm-objcopy REQUIRED)
    add_custom_command(TARGET ${name} POST_BUILD WORKING_DIRECTORY ${PROJECT_BINARY_DIR} VERBATIM
        BYPRODUCTS ${PROJECT_BINARY_DIR}/${name}.debug
        COMMAND ${CMAKE_COMMAND} -E copy ${name} ${name}.debug
        COMMAND ${BMBT_OBJCOPY} --strip-all --add-gnu-debuglink=${name}.debug ${name})
endfunction()

# Links src/<folder>'s files into <farm>/<folder>. Folders inside are targets of their own and are left out.
function(bmbt_link_headers folder farm)
    set(source ${PROJECT_SOURCE_DIR}/src/${folder})
    file(GLOB inner ${source}/*/CMakeLists.txt)
    get_filename_component(parent ${farm}/${folder} DIRECTORY)
    file(MAKE_DIRECTORY ${parent})
    if(NOT inner)
        file(CREATE_LINK ${source} ${farm}/${folder} SYMBOLIC)
        return()
    endif()
    if(IS_SYMLINK ${farm}/${folder})
        file(REMOVE ${farm}/${folder})
    endif()
    file(MAKE_DIRECTORY ${farm}/${folder})
    file(GLOB headers CONFIGURE_DEPENDS ${source}/*.hpp)
    foreach(header ${headers})
        get_filename_component(file ${header} NAME)
        file(CREATE_LINK ${header} ${farm}/${folder}/${file} SYMBOLIC)
    endforeach()
endfunction()

# A folder may depend only on folders that come before it in the order of the top CMakeLists.txt.
function(bmbt_check_depends name depends)
    foreach(depend ${depends})
        if(NOT TARGET ${depend})
            message(FATAL_ERROR "${name} depends on ${depend}, which is not a folder of src/ before it in the layer order")
        endif()
    endforeach()
endfunction()

# bmbt_test(<name> SOURCES file... DEPENDS folder... [LABELS label...] [TIMEOUT seconds])
# A GoogleTest program for the development machine; each of its cases is a test of its own for ctest, labelled quick.
function(bmbt_test name)
    if(NOT BMBT_TESTS)
        return()
    endif()
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "TIMEOUT" "SOURCES;DEPENDS;LABELS")
    bmbt_check_depends(${name} "${arg_DEPENDS}")
    if(NOT arg_LABELS)
        set(arg_LABELS quick)
    endif()
    if(NOT arg_TIMEOUT)
        set(arg_TIMEOUT 300)
    endif()
    add_executable(${name} ${arg_SOURCES})
    target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
    target_link_libraries(${name} PRIVATE ${arg_DEPENDS} bmbt_warnings GTest::gtest_main)
    gtest_discover_tests(${name} TEST_PREFIX ${name}. DISCOVERY_MODE PRE_TEST
        PROPERTIES LABELS "${arg_LABELS}" TIMEOUT ${arg_TIMEOUT})
endfunction()
